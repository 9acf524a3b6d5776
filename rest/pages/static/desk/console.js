// The signed-in page: rail, bar, the view one is in, and what comes over it (offers, dialogs, steps to take back).

import { html, useEffect, useMemo, useRef, useSource, useState, useTick } from "../core/ui.js";
import { LinkPill } from "../chat/pill.js";
import { Bones, Denied, Fault } from "../chat/states.js";
import { Alerts, AlertSettings } from "./alerts.js";
import { AgentState, Rail, Tools } from "./bar.js";
import { CaseView } from "./cases.js";
import { Drafts } from "./drafts.js";
import { Floor } from "./floor.js";
import { Help } from "./help.js";
import { Inbox } from "./inbox.js";
import { listenKeys } from "./keys.js";
import { NumbersView } from "./numbers.js";
import { Offers } from "./offers.js";
import { Palette } from "./palette.js";
import { go, here, placeChanges } from "./place.js";
import { QueueView, WallView } from "./boards.js";
import { RulesView } from "./rules.js";
import { ShiftsView } from "./shifts.js";
import { t } from "./text.js";
import { TicketView } from "./tickets.js";
import { Toasts } from "./toasts.js";

const CONTENT = {
  inbox: Inbox,
  queue: QueueView,
  tickets: TicketView,
  cases: CaseView,
  shifts: ShiftsView,
  numbers: NumbersView,
  wall: WallView,
  rules: RulesView,
};

export function Console({ session }) {
  const floor = useMemo(() => new Floor(session), []);
  const drafts = useMemo(() => new Drafts(floor), []);
  const alerts = useMemo(() => new Alerts(floor), []);
  const keys = useRef({}); // what the view that is open makes of keys
  const [over, setOver] = useState(null); // palette | help | alerts
  useSource(floor);
  useSource(placeChanges);
  useTick(1_000); // waiting times and promises run
  useEffect(() => {
    floor.start();
    return () => {
      alerts.stop();
      drafts.stop();
      floor.stop();
    };
  }, []);
  useEffect(() => listenKeys((name) => act(name, keys.current, setOver)), []);
  const place = here();
  useTitle(floor, place);
  const View = CONTENT[place.view];
  return html`<div class="desk">
    <a class="skip" href="#main">${t("skip")}</a>
    <${Rail} floor=${floor} place=${place} onKeys=${() => setOver("help")} />
    <header class="desk-bar">
      <h1>${t(`view_${place.view}`)}</h1>
      <${LinkPill} link=${floor.link} talks=${floor.talks} />
      <${AgentState} floor=${floor} />
      <${Tools} floor=${floor} session=${session} onPalette=${() => setOver("palette")} onAlerts=${() => setOver("alerts")} />
    </header>
    <main id="main" class=${`view view-${place.view}`} tabindex="-1">
      ${floor.status === "loading" && html`<${Bones} />`}
      ${floor.status === "failed" && html`<${Fault} problem=${floor.problem} onAgain=${() => floor.again()} />`}
      ${floor.status === "denied" && html`<${Denied} />`}
      ${floor.status === "ready" && html`<${View} floor=${floor} drafts=${drafts} place=${place} keys=${keys} />`}
    </main>
    <${Offers} floor=${floor} />
    <${Toasts} floor=${floor} />
    ${over === "palette" && html`<${Palette} floor=${floor} onAct=${(name) => act(name, keys.current, setOver)} onClose=${() => setOver(null)} />`}
    ${over === "alerts" && html`<${AlertSettings} onClose=${() => setOver(null)} />`}
    ${over === "help" && html`<${Help} onClose=${() => setOver(null)} />`}
  </div>`;
}

/** What a key or the palette asks for: views and help here, the rest where the view is. */
function act(name, keys, setOver) {
  if (name.startsWith("go_")) go({ view: name.slice(3) });
  else if (name === "palette" || name === "help" || name === "alerts") setOver(name);
  else return keys[name]?.() ?? false;
  return true;
}

/** How much is new stands in the title of the tab. */
function useTitle(floor, place) {
  const unread = floor.status === "ready" ? floor.list("mine").reduce((sum, one) => sum + floor.unread(one), 0) : 0;
  const count = unread + floor.offers.size;
  useEffect(() => {
    document.title = `${count ? `(${count}) ` : ""}${t(`view_${place.view}`)} · ${t("title")}`;
  });
}
