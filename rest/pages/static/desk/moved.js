// Somebody else has answered while one wrote: his answer beside one's own, before two of them reach the customer.

import { html } from "../core/ui.js";
import { shapeMessage } from "../chat/log.js";
import { gistOf, hourOf } from "../chat/text.js";
import { Dialog } from "./dialog.js";
import { t } from "./text.js";

export function Moved({ talks, item, nameOf, onEdit, onClose }) {
  const told = item.problem?.document?.message;
  const log = talks.log(item.conversation_id);
  const theirs = told?.message_seq ? shapeMessage({ said_at: told.at, ...told }) : log?.messages.get(log.order.at(-1));
  const anyway = () => {
    const base_seq = Math.max(log?.have ?? 0, theirs?.seq ?? 0);
    talks.outbox.retry(item.client_id, { base_seq, ...(item.body.seen_seq === undefined ? {} : { seen_seq: base_seq }) });
    onClose();
  };
  const edit = () => {
    talks.outbox.drop(item.client_id);
    onEdit(item.body.text ?? "");
    onClose();
  };
  const drop = () => {
    talks.outbox.drop(item.client_id);
    onClose();
  };
  return html`<${Dialog} title=${t("moved_title")} kind="is-moved" onClose=${onClose}>
    <p>${t("moved")}</p>
    ${
      theirs &&
      html`<figure class="both is-theirs"><figcaption>${nameOf(theirs)} · ${hourOf(theirs.at)}</figcaption>
        <blockquote>${gistOf(theirs)}</blockquote></figure>`
    }
    <figure class="both is-own"><figcaption>${t("moved_mine")}</figcaption><blockquote>${item.body.text || t("moved_picture")}</blockquote></figure>
    <div class="form-end">
      <button class="button is-danger" onClick=${drop}>${t("moved_drop")}</button>
      <button class="button" onClick=${anyway}>${t("moved_anyway")}</button>
      <button class="primary" autofocus onClick=${edit}>${t("moved_edit")}</button>
    </div>
  <//>`;
}
