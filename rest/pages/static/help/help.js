// The signed-in page: home, and beside it on wide screens (instead of it on phones) what is open.

import { html, useEffect, useMemo, useSource, useTick } from "../core/ui.js";
import { Bones, Denied, Empty, Fault } from "../chat/states.js";
import { AskView } from "./ask.js";
import { Bar } from "./bar.js";
import { FeedbackView } from "./feedback.js";
import { Home } from "./home.js";
import { here } from "./place.js";
import { Support } from "./support.js";
import { Talk } from "./talk.js";
import { t } from "./text.js";

export function Help({ session }) {
  const support = useMemo(() => new Support(session), []);
  useSource(support);
  useTick(15_000); // hours of rows pass
  useEffect(() => {
    support.start();
    return () => support.stop();
  }, []);
  const { c, ask, say } = here();
  const isOpen = Boolean(c || ask || say);
  const unread = support.unread();
  useEffect(() => {
    document.title = `${unread ? `(${unread}) ` : ""}${t("title")} · fieldhub`;
  });
  const isReady = support.status === "ready";
  return html`<div class=${`help${isOpen ? " has-view" : ""}`}>
    <a class="skip" href="#main">${t("skip")}</a>
    <${Bar} support=${support} />
    <aside class="help-home" aria-label=${t("title")}>
      ${support.status === "loading" && html`<${Bones} />`}
      ${support.status === "failed" && html`<${Fault} problem=${support.problem} onAgain=${() => support.again()} />`}
      ${support.status === "denied" && html`<${Denied} />`}
      ${isReady && html`<${Home} support=${support} open=${c} />`}
    </aside>
    <main id="main" class="help-view" tabindex="-1">
      ${isOpen && support.status === "loading" && html`<${Bones} />`}
      ${isOpen && support.status === "failed" && html`<${Fault} problem=${support.problem} onAgain=${() => support.again()} />`}
      ${isOpen && support.status === "denied" && html`<${Denied} />`}
      ${isReady && c && html`<${Talk} key=${c} support=${support} id=${c} />`}
      ${isReady && !c && ask && html`<${AskView} support=${support} about=${ask} />`}
      ${isReady && !c && !ask && say && html`<${FeedbackView} support=${support} />`}
      ${isReady && !isOpen && html`<${Empty} text=${t("choose")} />`}
    </main>
  </div>`;
}
