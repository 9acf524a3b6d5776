// Where one is, kept in the address: every view can be linked to, and the back button works.

import { makeSignal } from "../core/ui.js";

export const VIEWS = ["inbox", "queue", "tickets", "cases", "shifts", "numbers", "wall", "rules"];
export const LISTS = ["mine", "snoozed", "queue", "all"];

const changed = makeSignal();
let current = read();

export const placeChanges = { subscribe: changed.subscribe };

function read() {
  const query = Object.fromEntries(new URLSearchParams(location.search));
  const view = VIEWS.includes(query.view) ? query.view : "inbox";
  const list = LISTS.includes(query.list) ? query.list : "mine";
  return { ...query, view, list, c: query.c ?? null };
}

/** `{view, list, c, …}`: the view, the list of the inbox, the conversation that is open, and filters of views. */
export function here() {
  return current;
}

/** Another place; what is not named stays where the view is the same. `replace`: the back button passes it over. */
export function go(changes, { replace = false } = {}) {
  const isSameView = !changes.view || changes.view === current.view;
  const next = isSameView ? { ...current, ...changes } : { view: changes.view, list: current.list, c: null, ...changes };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(next)) {
    const isDefault = (name === "view" && value === "inbox") || (name === "list" && value === "mine");
    if (value !== null && value !== undefined && value !== "" && !isDefault) query.set(name, value);
  }
  const address = `${location.pathname}${query.size ? `?${query}` : ""}`;
  if (address === `${location.pathname}${location.search}`) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  current = read();
  changed.emit();
}

window.addEventListener("popstate", () => {
  current = read();
  changed.emit();
});
