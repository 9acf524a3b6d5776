// The routing rules in force, and a dry run: who would get this, by which rule, and why not each of the others.

import { Problem } from "../core/api.js";
import { askAsMe } from "../core/session.js";
import { html, useState } from "../core/ui.js";
import { Reading, useReading } from "../chat/states.js";
import { reasonOf } from "../chat/text.js";
import { Scroll } from "./boards.js";
import { Field } from "./dialog.js";
import { go } from "./place.js";
import { named, t } from "./text.js";

const CATEGORIES = ["order", "refund", "payment", "complaint", "account", "technician", "safety", "invoice", "coupon", "other"];

export function RulesView({ floor, place }) {
  const reading = useReading((signal) => askAsMe("GET", "/v1/admin/desk/rules", { signal }));
  return html`<div class="page-body two">
    <section class="card board"><header><h2>${t("rules")}</h2>${reading.data && html`<small>${t("version", { version: reading.data.version })}</small>`}</header>
      <${Reading} reading=${reading}>${({ rules }) => html`<ol class="rules">${rules.map((rule) => html`<${Rule} key=${rule.name} floor=${floor} rule=${rule} />`)}</ol>`}<//></section>
    <${DryRun} floor=${floor} place=${place} />
  </div>`;
}

function Rule({ floor, rule }) {
  const { when } = rule;
  const parts = [];
  const add = (name, value) => parts.push(`${t(`cond_${name}`)} ${value}`);
  if (when.kinds?.length) add("kinds", when.kinds.map((kind) => named("kind", kind)).join("、"));
  if (when.categories?.length) add("categories", when.categories.map((one) => named("category", one)).join("、"));
  if (when.lines?.length) add("lines", when.lines.join("、"));
  if (when.regions?.length) add("regions", when.regions.join("、"));
  if (when.tenant_ids?.length) add("tenant_ids", when.tenant_ids.join("、"));
  if (when.severity_min && when.severity_min !== "low") add("severity_min", `≥ ${named("severity", when.severity_min)}`);
  if (when.is_member != null) add("is_member", t(when.is_member ? "yes" : "no"));
  const skills = [...(rule.required_skills ?? []), ...(rule.optional_skills ?? []).map((one) => `${one}?`)];
  return html`<li><b>${rule.name}</b><p>${parts.length ? parts.join(" · ") : t("everything")}</p>
    <p>→ ${floor.queues.get(rule.queue_id)?.name ?? rule.queue_id}${skills.length > 0 && ` · ${t("skills", { names: skills.join("、") })}`}${rule.agent_id && ` · ${t("first_for", { name: floor.agents.get(rule.agent_id)?.name ?? "–" })}`}</p></li>`;
}

const START = { kind: "chat", category: "order", severity: "normal", line: "", region: "", is_member: "" };

function DryRun({ floor, place }) {
  const asked = Object.fromEntries(Object.entries(START).map(([name, value]) => [name, place[`try_${name}`] ?? value]));
  const [ran, setRan] = useState(null);
  const [fault, setFault] = useState(null);
  const set = (name) => ({ target }) => {
    const value = target.type === "checkbox" ? (target.checked ? "yes" : "") : target.value;
    go({ [`try_${name}`]: value === START[name] ? null : value }, { replace: true });
  };
  const run = async (event) => {
    event.preventDefault();
    const body = { kind: asked.kind, category: asked.category.trim(), severity: asked.severity, is_member: Boolean(asked.is_member) };
    if (asked.line.trim()) body.line = asked.line.trim();
    if (asked.region.trim()) body.region = asked.region.trim();
    try {
      setRan(await askAsMe("POST", "/v1/admin/desk/rules/dry_run", { body }));
      setFault(null);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setRan(null);
      setFault(reasonOf(problem));
    }
  };
  const select = (name, values, prefix) => html`<select value=${asked[name]} onChange=${set(name)}>${values.map((one) => html`<option key=${one} value=${one}>${named(prefix, one)}</option>`)}</select>`;
  return html`<section class="card board"><header><h2>${t("dry_run")}</h2></header>
    <form class="form grid" onSubmit=${run}>
      <${Field} label=${t("kind")}>${select("kind", ["chat", "ticket"], "kind")}<//>
      <${Field} label=${t("about")}>${select("category", categoriesOf(floor), "category")}<//>
      <${Field} label=${t("severity")}>${select("severity", ["low", "normal", "high", "emergency"], "severity")}<//>
      <${Field} label=${t("cond_lines")}><input value=${asked.line} onInput=${set("line")} /><//>
      <${Field} label=${t("cond_regions")}><input value=${asked.region} onInput=${set("region")} /><//>
      <label class="check"><input type="checkbox" checked=${Boolean(asked.is_member)} onChange=${set("is_member")} /> ${t("cond_is_member")}</label>
      <div class="form-end"><button class="primary">${t("try")}</button></div>
    </form>
    <p class="fault pad" role="alert">${fault}</p>
    <div aria-live="polite">${ran && html`<${Ran} floor=${floor} ran=${ran} />`}</div>
  </section>`;
}

/** What customers ask about: what has a word here, and what else they have come with. */
function categoriesOf(floor) {
  const come = [...floor.threads.values()].map(({ category }) => category);
  return [...new Set([...CATEGORIES, ...come])];
}

function Ran({ floor, ran }) {
  const winner = ran.agents.find(({ place }) => place === 1);
  return html`<div class="ran">
    <p class="verdict">${winner ? t("would_get", { name: winner.name }) : t("would_wait", { queue: floor.queues.get(ran.queue_id)?.name ?? "" })}
      ${!ran.is_open && html` <span class="chip is-high">${t("out_of_hours")}</span>`}${ran.kind === "ticket" && html` <span class="chip is-ticket">${t("kind_ticket")}</span>`}</p>
    <ol class="tried">${ran.tried.map((one, n) => html`<li key=${n} class=${one.unmet.length ? "" : "is-met"}><b>${one.rule}</b> ${one.unmet.length ? t("unmet", { names: one.unmet.map((name) => t(`cond_${name}`)).join("、") }) : t("met", { queue: floor.queues.get(ran.queue_id)?.name ?? "" })}</li>`)}</ol>
    <${Scroll}><table><thead><tr><th scope="col">${t("place")}</th><th scope="col">${t("agent")}</th><th scope="col">${t("load")}</th><th scope="col">${t("levels")}</th><th scope="col">${t("why")}</th></tr></thead>
      <tbody>${ran.agents.map(
        (one) => html`<tr key=${one.agent_id} class=${one.place ? "" : "is-not"}><td class="num">${one.place ?? "–"}</td><th scope="row">${one.name}</th>
          <td class="num">${Math.round(one.load_share * 100)} %</td><td class="num">${one.levels}</td>
          <td>${one.place ? (one.is_known ? t("is_known") : one.place === 1 ? t("is_best") : t("is_next")) : one.why_not.map(whyNot).join("、")}</td></tr>`,
      )}</tbody></table><//>
    ${!ran.agents.length && html`<p class="muted pad">${t("no_agents")}</p>`}
  </div>`;
}

/** A reason in words; a skill that is lacking is named. */
export function whyNot(reason) {
  if (reason.startsWith("lacks_")) return t("lacks", { skill: reason.slice(6) });
  return named("why", reason);
}
