// The keys, and the switch for them: single letters are a hindrance to who speaks to the machine (WCAG 2.1.4).

import { html, useState } from "../core/ui.js";
import { Dialog } from "./dialog.js";
import { areKeysOn, KEYS, switchKeys } from "./keys.js";
import { t } from "./text.js";

export function Help({ onClose }) {
  const [isOn, setOn] = useState(areKeysOn());
  const change = ({ target }) => {
    switchKeys(target.checked);
    setOn(target.checked);
  };
  return html`<${Dialog} title=${t("keys")} onClose=${onClose}>
    <label class="check"><input type="checkbox" checked=${isOn} onChange=${change} /> ${t("keys_on")}</label>
    <dl class=${`keys${isOn ? "" : " is-off"}`}>
      ${Object.entries(KEYS).map(
        ([keys, name]) => html`<div key=${name}><dt>${keys.split(" ").map((key) => html`<kbd key=${key}>${/^[A-Z]$/.test(key) ? `Shift ${key}` : key}</kbd>`)}</dt><dd>${t(`key_${name}`)}</dd></div>`,
      )}
      <div><dt><kbd>Ctrl K</kbd></dt><dd>${t("palette")}</dd></div>
    </dl>
    <p class="muted small">${t("keys_hint")}</p>
  <//>`;
}
