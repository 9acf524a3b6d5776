// Every word of conversations, links and readings, in both languages; shared by the pages that have any.

import { formatSeconds, makeNames, makeWords, tag } from "../core/words.js";

const zh = {
  log: "对话内容",
  role_customer: "客户",
  role_worker: "技师",
  role_agent: "客服",
  role_supervisor: "主管",
  role_observer: "旁听",
  role_system: "系统",
  kind_image: "[图片]",
  kind_file: "[文件]",
  kind_location: "[位置]",
  kind_order_card: "[订单]",
  kind_note: "[备注] {text}",
  me: "我",
  note_badge: "内部备注 · 客户看不到",
  reach_sent: "已发送",
  reach_delivered: "已送达",
  reach_read: "已读",
  waiting: "等待发送",
  sending: "发送中…",
  failed: "发送失败：{reason}",
  moved: "同事已先回复，这条还没有发出",
  retry: "重发",
  copy: "复制",
  drop: "删除",
  look_again: "查看",
  edited: "已编辑",
  recalled: "{who}撤回了一条消息",
  quote: "引用",
  edit: "编辑",
  recall: "撤回",
  actions: "消息操作",
  today: "今天",
  yesterday: "昨天",
  new_below: "以下是新消息",
  older: "查看更早的消息",
  older_busy: "正在读取…",
  newest: "回到最新",
  newest_count: "{count} 条新消息",
  typing: "{who}正在输入…",
  beginning: "对话从这里开始",
  nothing_said: "还没有消息。",
  picture: "图片",
  picture_open: "查看大图",
  picture_failed: "图片读取失败，点按重试",
  file: "文件",
  download: "下载",
  place: "位置",
  place_show: "在地图上查看",
  order: "订单",
  close: "关闭",

  write: "输入消息，Enter 发送，Shift+Enter 换行",
  write_note: "写给同事的备注，客户看不到",
  write_plain: "输入消息",
  reply_to: "回复",
  note_to: "备注",
  mode: "写给谁",
  send: "发送",
  send_note: "保存备注",
  send_later: "连上后发送",
  attach: "添加图片或 PDF",
  attached: "待发送的图片",
  drop_here: "松开即可添加图片",
  not_picture: "只能发送 JPEG、PNG、WebP 图片或 PDF 文件。",
  no_document: "备注只能附图片。",
  too_big: "文件不能超过 5 MB。",
  count_left: "还可输入 {count} 字",
  count_over: "超出 {count} 字",
  cancel: "取消",
  save: "保存",
  editing: "正在编辑消息",
  quoting: "引用 {who}",

  link_connecting: "正在连接",
  link_live: "实时",
  link_catching: "追赶中",
  link_offline: "离线 自 {clock}",
  link_refused: "无权连接",
  link_hint: "往返 {ms} 毫秒",
  link_retry: "立即重连",

  loading: "正在读取…",
  fault: "读取失败：{reason}",
  again: "重试",
  network: "连接不上服务器",
  denied_title: "没有权限",
  denied: "此账号不能查看这一页，请联系管理员开通。",
  ago_now: "刚刚",
  ago: "{age}前",
};

const en = {
  log: "Conversation",
  role_customer: "Customer",
  role_worker: "Technician",
  role_agent: "Agent",
  role_supervisor: "Supervisor",
  role_observer: "Observer",
  role_system: "System",
  kind_image: "[picture]",
  kind_file: "[file]",
  kind_location: "[place]",
  kind_order_card: "[order]",
  kind_note: "[note] {text}",
  me: "Me",
  note_badge: "Internal note · hidden from the customer",
  reach_sent: "Sent",
  reach_delivered: "Delivered",
  reach_read: "Read",
  waiting: "Waiting to be sent",
  sending: "Sending…",
  failed: "Not sent: {reason}",
  moved: "A colleague has answered first; this is not sent yet",
  retry: "Try again",
  copy: "Copy",
  drop: "Delete",
  look_again: "Look",
  edited: "edited",
  recalled: "{who} took a message back",
  quote: "Quote",
  edit: "Edit",
  recall: "Take back",
  actions: "Message actions",
  today: "Today",
  yesterday: "Yesterday",
  new_below: "New messages",
  older: "Show earlier messages",
  older_busy: "Reading…",
  newest: "To the newest",
  newest_count: "{count} new",
  typing: "{who} is writing…",
  beginning: "The conversation begins here",
  nothing_said: "Nothing has been said yet.",
  picture: "Picture",
  picture_open: "Show the picture",
  picture_failed: "The picture could not be read; press to try again",
  file: "File",
  download: "Download",
  place: "Place",
  place_show: "Show on the map",
  order: "Order",
  close: "Close",

  write: "Write a message; Enter sends, Shift+Enter breaks the line",
  write_note: "A note to colleagues, hidden from the customer",
  write_plain: "Write a message",
  reply_to: "Reply",
  note_to: "Note",
  mode: "To whom",
  send: "Send",
  send_note: "Save note",
  send_later: "Send when connected",
  attach: "Add a picture or PDF",
  attached: "Pictures to send",
  drop_here: "Drop to add the picture",
  not_picture: "Only JPEG, PNG or WebP pictures and PDF files can be sent.",
  no_document: "A note takes pictures only.",
  too_big: "A file can have 5 MB at most.",
  count_left: "{count} characters left",
  count_over: "{count} characters too many",
  cancel: "Cancel",
  save: "Save",
  editing: "Editing a message",
  quoting: "Quoting {who}",

  link_connecting: "Connecting",
  link_live: "Live",
  link_catching: "Catching up",
  link_offline: "Offline since {clock}",
  link_refused: "Not allowed",
  link_hint: "{ms} ms there and back",
  link_retry: "Reconnect now",

  loading: "Reading…",
  fault: "Could not be read: {reason}",
  again: "Try again",
  network: "the server cannot be reached",
  denied_title: "No access",
  denied: "This account may not see this page. Ask an administrator.",
  ago_now: "just now",
  ago: "{age} ago",
};

export const t = makeWords({ zh, en });
export const named = makeNames(t);

/** What went wrong, for people. */
export function reasonOf(problem) {
  return problem.code === "network" ? t("network") : problem.message;
}

/** How long ago, in words. */
export function agoOf(ms, now) {
  const age_s = (now - ms) / 1000;
  return age_s < 5 ? t("ago_now") : t("ago", { age: formatSeconds(age_s) });
}

/** Hours and minutes. */
export function hourOf(ms) {
  return new Intl.DateTimeFormat(tag(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(ms);
}

/** Today, yesterday, or the date. */
export function dayOf(ms, now) {
  const midnight = (at) => new Date(at).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(now) - midnight(ms)) / 86_400_000);
  if (days === 0) return t("today");
  if (days === 1) return t("yesterday");
  const year = new Date(ms).getFullYear() === new Date(now).getFullYear() ? undefined : "numeric";
  return new Intl.DateTimeFormat(tag(), { year, month: "long", day: "numeric", weekday: "short" }).format(ms);
}

/** Day and hour in full, for titles. */
export function momentOf(ms) {
  return new Intl.DateTimeFormat(tag(), { dateStyle: "medium", timeStyle: "medium" }).format(ms);
}

/** What a list shows of a message. */
export function gistOf(message) {
  if (!message) return "";
  if (message.recalled_at) return t("recalled", { who: named("role", message.sender_role) });
  if (message.kind === "note") return t("kind_note", { text: message.text });
  if (message.kind === "text" || message.kind === "system") return message.text;
  return `${named("kind", message.kind)}${message.text ? ` ${message.text}` : ""}`;
}
