// The support desk: sign-in, then the floor as it is now.

import { guardPage } from "../core/crash.js";
import { currentSession, sessionChanges } from "../core/session.js";
import { SignIn } from "../core/signin.js";
import { html, render, useEffect, useSource } from "../core/ui.js";
import { currentLanguage, languageChanges, setLanguage } from "../core/words.js";
import { Console } from "./console.js";
import { t } from "./text.js";

/** Asks for the language and the session of the whole page: everything below renders again. */
function App() {
  useSource(languageChanges);
  useSource(sessionChanges);
  const session = currentSession();
  useEffect(() => {
    if (!session) document.title = `${t("title")} · fieldhub`;
  });
  // A new session is a new desk: nothing of the last one may be seen by the next person.
  if (session) return html`<${Console} key=${session.session_id} session=${session} />`;
  const other = currentLanguage() === "zh" ? "en" : "zh";
  return html`<div class="page">
    <header class="bar">
      <div class="brand"><i class="mark" aria-hidden="true"></i><b>fieldhub</b><h1>${t("title")}</h1></div>
      <div class="tools">
        <button class="plain" title=${t("language_hint")} onClick=${() => setLanguage(other)}>${t("language")}</button>
      </div>
    </header>
    <${SignIn} lead=${t("signin_lead")} />
  </div>`;
}

guardPage(t);

const holder = document.getElementById("app");
holder.replaceChildren();
render(html`<${App} />`, holder);
