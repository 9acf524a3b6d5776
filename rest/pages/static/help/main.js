// The customer's help page: a link to a rating opens without signing in, everything else after it.

import { guardPage } from "../core/crash.js";
import { currentSession, sessionChanges } from "../core/session.js";
import { SignIn } from "../core/signin.js";
import { html, render, useEffect, useSource } from "../core/ui.js";
import { languageChanges } from "../core/words.js";
import { Brand, Language } from "./bar.js";
import { Help } from "./help.js";
import { here, placeChanges } from "./place.js";
import { RateByLink } from "./rating.js";
import { t } from "./text.js";

/** Asks for the language, the place and the session of the whole page: everything below renders again. */
function App() {
  useSource(languageChanges);
  useSource(sessionChanges);
  useSource(placeChanges);
  const session = currentSession();
  const { rate } = here();
  useEffect(() => {
    if (!session || rate) document.title = `${t(rate ? "rate_title" : "title")} · fieldhub`;
  });
  if (rate) return html`<${Alone}><${RateByLink} key=${rate} token=${rate} /><//>`;
  // A new session is a new page: nothing of the last one may be seen by the next person.
  if (session) return html`<${Help} key=${session.session_id} session=${session} />`;
  return html`<${Alone}><${SignIn} lead=${t("signin_lead")} /><//>`;
}

/** One thing and nothing beside it. */
function Alone({ children }) {
  return html`<div class="alone">
    <header class="help-bar"><${Brand} /><div class="help-tools"><${Language} /></div></header>
    ${children}
  </div>`;
}

guardPage(t);

const holder = document.getElementById("app");
holder.replaceChildren();
render(html`<${App} />`, holder);
