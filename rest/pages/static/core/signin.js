// The sign-in panel: phone, then code. In dev mode the server sends no text message and the code is filled in.

import { Problem } from "./api.js";
import { requestCode, signIn, takeEnd } from "./session.js";
import { html, useEffect, useRef, useState, useTick } from "./ui.js";
import { makeWords } from "./words.js";

const t = makeWords({
  zh: {
    title: "登录",
    lead: "用手机号登录，验证码会发到手机上。",
    phone: "手机号",
    code: "验证码",
    send: "获取验证码",
    enter: "登录",
    again: "重新获取",
    again_in: "{seconds} 秒后可重新获取",
    other: "换一个手机号",
    sent: "验证码已发送至 {phone}",
    dev: "开发模式：验证码已自动填入。",
    phone_wrong: "请输入有效的手机号。",
    code_needed: "请输入 6 位验证码。",
    network: "连接不上服务器，请检查网络后重试。",
    ended: "登录已失效，请重新登录。",
    ended_revoked: "此登录已在别处被退出，请重新登录。",
  },
  en: {
    title: "Sign in",
    lead: "Use your phone number; the code is sent to it.",
    phone: "Phone number",
    code: "Code",
    send: "Send code",
    enter: "Sign in",
    again: "Send again",
    again_in: "Send again in {seconds} s",
    other: "Use another number",
    sent: "Code sent to {phone}",
    dev: "Development mode: the code is filled in.",
    phone_wrong: "Enter a valid phone number.",
    code_needed: "Enter the 6-digit code.",
    network: "The server cannot be reached. Check the network and try again.",
    ended: "You have been signed out. Sign in again.",
    ended_revoked: "This session was ended elsewhere. Sign in again.",
  },
});

const PHONE = /^\+?[0-9]{7,15}$/;

function textOf(problem) {
  if (!(problem instanceof Problem)) throw problem;
  return problem.code === "network" ? t("network") : problem.message;
}

/** `lead`: a sentence of the page about who signs in here. */
export function SignIn({ lead = t("lead") } = {}) {
  const [phone, setPhone] = useState("");
  const [code, setCode] = useState("");
  const [sent, setSent] = useState(null); // what POST /v1/auth/codes answered
  const [note, setNote] = useState(null); // what went wrong
  const [isBusy, setBusy] = useState(false);
  const field = useRef(null);
  useTick(1_000);
  useEffect(() => {
    const code = takeEnd();
    if (code) setNote(t(code === "session_revoked" ? "ended_revoked" : "ended"));
  }, []);
  useEffect(() => field.current?.focus(), [sent === null]);

  const attempt = async (task) => {
    setBusy(true);
    setNote(null);
    try {
      await task();
    } catch (problem) {
      setNote(textOf(problem));
    } finally {
      setBusy(false);
    }
  };
  const send = () =>
    attempt(async () => {
      const answer = await requestCode(phone.trim());
      setSent({ ...answer, again_at: Date.parse(answer.resend_at) });
      setCode(answer.dev_code ?? "");
    });
  const submit = (event) => {
    event.preventDefault();
    if (sent === null) return PHONE.test(phone.trim()) ? send() : setNote(t("phone_wrong"));
    return /^\d{4,8}$/.test(code.trim()) ? attempt(() => signIn(phone.trim(), code.trim())) : setNote(t("code_needed"));
  };

  const wait_s = sent ? Math.ceil((sent.again_at - Date.now()) / 1000) : 0;
  return html`<main class="signin">
    <form class="card" onSubmit=${submit} aria-labelledby="signin-title" noValidate>
      <div class="mark" aria-hidden="true"></div>
      <h1 id="signin-title">${t("title")}</h1>
      <p class="muted">${sent ? t("sent", { phone }) : lead}</p>
      ${
        sent === null
          ? html`<label key="phone">${t("phone")}
            <input ref=${field} type="tel" name="phone" autocomplete="tel" inputmode="tel" value=${phone}
              onInput=${(event) => setPhone(event.target.value)} /></label>`
          : html`<label key="code">${t("code")}
            <input ref=${field} class="code" name="code" autocomplete="one-time-code" inputmode="numeric" maxlength="8"
              value=${code} onInput=${(event) => setCode(event.target.value)} /></label>`
      }
      ${sent?.dev_code && html`<p class="hint">${t("dev")}</p>`}
      <p class="fault" role="alert">${note}</p>
      <button class="primary" type="submit" disabled=${isBusy}>${t(sent === null ? "send" : "enter")}</button>
      ${
        sent &&
        html`<div class="row">
        <button type="button" class="plain" onClick=${() => setSent(null)}>${t("other")}</button>
        <button type="button" class="plain" disabled=${isBusy || wait_s > 0} onClick=${send}>
          ${wait_s > 0 ? t("again_in", { seconds: wait_s }) : t("again")}
        </button>
      </div>`
      }
    </form>
  </main>`;
}
