// What has been begun to write in a conversation: its text outlives a reload of the tab, pictures do not.

import { useState } from "../core/ui.js";
import { NO_DRAFT } from "../chat/composer.js";

const KEPT = "fieldhub.draft.";

/** `[draft, change(fields)]`. */
export function useDraft(id) {
  const [draft, setDraft] = useState(() => ({ ...NO_DRAFT, text: read(id) }));
  const change = (fields) => {
    setDraft((last) => ({ ...last, ...fields }));
    if (fields.text !== undefined && !draft.editing && !fields.editing) keep(id, fields.text);
  };
  return [draft, change];
}

function read(id) {
  try {
    return sessionStorage.getItem(KEPT + id) ?? "";
  } catch {
    return ""; // storage closed: drafts last as long as the page
  }
}

function keep(id, text) {
  try {
    if (text) sessionStorage.setItem(KEPT + id, text);
    else sessionStorage.removeItem(KEPT + id);
  } catch {
    // see read()
  }
}
