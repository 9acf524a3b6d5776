// The operations map: sign-in, then the field as it is now.

import { guardPage } from "../core/crash.js";
import { currentSession, sessionChanges, signOut } from "../core/session.js";
import { SignIn } from "../core/signin.js";
import { html, render, useEffect, useSource } from "../core/ui.js";
import { currentLanguage, languageChanges, setLanguage } from "../core/words.js";
import { Field } from "./field.js";
import { t } from "./text.js";

/** Asks for the languages of the whole page: everything below renders again. */
function App() {
  useSource(languageChanges);
  useSource(sessionChanges);
  const session = currentSession();
  useEffect(() => {
    document.title = `${t("title")} · fieldhub`;
  });
  const other = currentLanguage() === "zh" ? "en" : "zh";
  const tools = html`<div class="tools">
    <button class="plain" title=${t("language_hint")} onClick=${() => setLanguage(other)}>${t("language")}</button>
    ${
      session &&
      html`<span class="me">${session.account?.nickname || session.account?.phone_masked}</span>
      <button class="plain" onClick=${() => void signOut()}>${t("sign_out")}</button>`
    }
  </div>`;
  if (!session) return html`<div class="page"><header class="bar"><${Brand} />${tools}</header><${SignIn} /></div>`;
  // A new session is a new field: nothing of the last one may be seen by the next person.
  return html`<${Field} key=${session.session_id} tools=${tools} brand=${html`<${Brand} />`} />`;
}

function Brand() {
  return html`<div class="brand"><i class="mark" aria-hidden="true"></i><b>fieldhub</b><h1>${t("title")}</h1></div>`;
}

guardPage(t);

const holder = document.getElementById("app");
holder.replaceChildren();
render(html`<${App} />`, holder);
