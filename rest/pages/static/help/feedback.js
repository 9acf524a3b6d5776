// What one has to say about us: a form, and below it what was said before and answered.

import { Problem } from "../core/api.js";
import { askAsMe } from "../core/session.js";
import { html, useEffect, useRef, useState } from "../core/ui.js";
import { dayOf, reasonOf } from "../chat/text.js";
import { Reading, useReading } from "../chat/states.js";
import { serverNow } from "../core/clock.js";
import { ViewHead } from "./bar.js";
import { named, t } from "./text.js";

const KINDS = ["idea", "fault", "complaint", "praise", "other"];
const WORDS_MAX = 2000;
const PICTURES_MAX = 6;

export function FeedbackView({ support }) {
  const [kind, setKind] = useState("idea");
  const [text, setText] = useState("");
  const [pictures, setPictures] = useState([]);
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState(null);
  const [sent, setSent] = useState(0);
  const head = useRef(null);
  const form = useRef(null);
  const key = useRef(crypto.randomUUID());
  useEffect(() => head.current.focus(), []);
  const change = (set, read) => (event) => {
    key.current = crypto.randomUUID(); // other words are another request
    set(read(event.target));
  };
  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    if (!text.trim()) return setFault(t("say_empty"));
    if (pictures.length > PICTURES_MAX) return setFault(t("say_pictures", { count: PICTURES_MAX }));
    setBusy(true);
    setFault(null);
    try {
      const file_ids = [];
      for (const [place, file] of pictures.entries()) {
        const kept = await askAsMe("POST", "/v1/files?purpose=feedback", { file, key: `${key.current}-${place}` });
        file_ids.push(kept.id);
      }
      await askAsMe("POST", "/v1/feedback", { body: { kind, body: text.trim(), file_ids }, key: key.current });
      key.current = crypto.randomUUID();
      setText("");
      setPictures([]);
      form.current.reset();
      setSent(sent + 1);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setFault(reasonOf(problem));
    }
    setBusy(false);
  };
  return html`<form class="ask" ref=${form} onSubmit=${submit} noValidate>
    <${ViewHead} support=${support} title=${t("say")} head=${head} />
    <div class="ask-body">
      <fieldset class="topics">
        <legend>${t("say_kind")}</legend>
        <div>${KINDS.map(
          (name) => html`<label key=${name}><input type="radio" name="kind" value=${name} checked=${kind === name}
            onChange=${change(setKind, (field) => field.value)} /><span>${named("said", name)}</span></label>`,
        )}</div>
      </fieldset>
      <label class="words"><span>${t("say_words")}</span>
        <textarea rows="4" maxlength=${WORDS_MAX} value=${text} onInput=${change(setText, (field) => field.value)}></textarea></label>
      <label class="words"><span>${t("say_pictures", { count: PICTURES_MAX })}</span>
        <input type="file" accept="image/jpeg,image/png,image/webp" multiple onChange=${change(setPictures, (field) => [...field.files])} /></label>
      <p class="fault" role="alert">${fault}</p>
      <p role="status">${sent > 0 && t("say_thanks")}</p>
      <${Said} turn=${sent} />
    </div>
    <div class="ask-end"><button class="primary big" type="submit" disabled=${busy}>${t("say_send")}</button></div>
  </form>`;
}

function Said({ turn }) {
  const reading = useReading((signal) => askAsMe("GET", "/v1/feedback", { signal }), [turn]);
  return html`<section class="said-before" aria-labelledby="said-title">
    <h3 id="said-title">${t("say_mine")}</h3>
    <${Reading} reading=${reading} isEmpty=${(page) => page.data.length === 0} empty=${t("say_mine_none")}>${(page) =>
      html`<ul class="help-rows">${page.data.map((one) => html`<${One} key=${one.id} one=${one} />`)}</ul>`}<//>
  </section>`;
}

function One({ one }) {
  const at = Date.parse(one.created_at);
  return html`<li class="help-row">
    <span class="help-row-head"><b>${named("said", one.kind)}</b><time>${dayOf(at, serverNow())}</time></span>
    <p>${one.body}</p>
    ${one.reply && html`<p class="reply"><b>${t("say_reply")}</b> ${one.reply}</p>`}
    <span class="help-row-signs"><span class="chip">${named("state", one.state)}</span></span>
  </li>`;
}
