// Where one is, kept in the address: every view can be linked to, and the back button works.

import { makeSignal } from "../core/ui.js";

const changed = makeSignal();
let current = read();

export const placeChanges = { subscribe: changed.subscribe };

function read() {
  const query = new URLSearchParams(location.search);
  return { c: query.get("c"), ask: query.get("ask"), say: query.get("say"), rate: query.get("rate") };
}

/** `{c, ask, say, rate}`: the conversation that is open, what is asked about (`new` or an order), feedback, the link to
 * a rating. */
export function here() {
  return current;
}

/** Another place; without anything it is home. `replace`: the back button passes it over. */
export function go(place = {}, { replace = false } = {}) {
  const query = new URLSearchParams(Object.entries(place).filter(([, value]) => value));
  const address = `${location.pathname}${query.size ? `?${query}` : ""}`;
  if (address === `${location.pathname}${location.search}`) return;
  history[replace ? "replaceState" : "pushState"]({ isOurs: true }, "", address);
  current = read();
  changed.emit();
}

/** Where one came from when that was here, else home. */
export function back() {
  if (history.state?.isOurs) history.back();
  else go({}, { replace: true });
}

window.addEventListener("popstate", () => {
  current = read();
  changed.emit();
});
