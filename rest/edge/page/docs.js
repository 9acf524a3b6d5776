// Shows /openapi.json: operations by tag, their types and refusals, and a form to try each.
// Everything from the document becomes text nodes, never markup.

const contract = await (await fetch("/openapi.json")).json();
const schemas = contract.components.schemas;
const byId = (id) => document.getElementById(id);

function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

function resolve(schema) {
  return schema?.$ref ? schemas[schema.$ref.split("/").pop()] : schema;
}

function typeName(schema) {
  if (!schema) return "anything";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf) return schema.anyOf.map(typeName).join(" | ");
  if (schema.type === "array") return `${typeName(schema.items)}[]`;
  return schema.format ?? schema.type ?? "anything";
}

const LIMITS = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "default"];

function limits(schema) {
  const parts = (schema?.anyOf ?? [schema]).filter((part) => part && part.type !== "null");
  return [schema, ...parts].flatMap((part) =>
    LIMITS.filter((name) => part?.[name] !== undefined && part[name] !== null)
      .map((name) => `${name} ${JSON.stringify(part[name])}`))
    .filter((text, n, all) => all.indexOf(text) === n).join(", ");
}

// `words` in backticks are code, as in Markdown; the rest is text.
function prose(text) {
  return text.split("`").map((part, n) => (n % 2 ? h("code", {}, part) : part));
}

function table(head, rows, kind = "") {
  return h("table", { class: kind }, h("thead", {}, h("tr", {}, head.map((text) => h("th", {}, text)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell))))));
}

function fields(schema, seen = []) {
  const found = resolve(schema);
  const name = typeName(schema);
  if (!found?.properties || seen.includes(name)) return [];
  const rows = Object.entries(found.properties).map(([field, type]) => [
    h("code", {}, field, (found.required ?? []).includes(field) ? "" : "?"),
    h("code", {}, typeName(type)), [type.description, limits(type)].filter(Boolean).join(" · "),
  ]);
  const inner = Object.values(found.properties)
    .flatMap((type) => [type, type.items, ...(type.anyOf ?? [])]).filter((type) => type?.$ref);
  return [h("h3", {}, name), table(["field", "type", ""], rows, "fields"), ...inner.flatMap((type) => fields(type, [...seen, name]))];
}

function example(schema, depth = 0) {
  const found = resolve(schema) ?? {};
  if (found.examples?.length) return found.examples[0];
  if (found.default !== undefined && found.default !== null) return found.default;
  if (found.const !== undefined) return found.const;
  if (found.enum) return found.enum[0];
  if (found.anyOf) return example(found.anyOf.find((part) => part.type !== "null"), depth);
  if (found.properties && depth < 5) {
    const wanted = found.required ?? [];
    return Object.fromEntries(wanted.map((name) => [name, example(found.properties[name], depth + 1)]));
  }
  if (found.format === "date-time") return new Date(Date.now() + 7200e3).toISOString();
  return { integer: found.minimum ?? 1, number: found.minimum ?? 0, boolean: false, array: [], object: {} }[found.type] ?? "text";
}

function refusals(operation) {
  const rows = Object.entries(operation.responses).filter(([status]) => status >= 400).flatMap(([status, answer]) =>
    answer.description.split("\n").map((line) => {
      const [, code, text] = line.match(/^`(.+?)`: (.*)$/) ?? [null, "", line];
      return [status, h("a", { href: `#problem-${code}` }, h("code", {}, code)), text];
    }));
  return [h("h3", {}, "Refusals"), table(["status", "code", ""], rows)];
}

function tryForm(method, path, operation) {
  const inputs = operation.parameters.map((parameter) => {
    const start = parameter.name === "Idempotency-Key" ? crypto.randomUUID() : "";
    return [parameter, h("input", { name: parameter.name, value: start, required: parameter.required, autocomplete: "off" })];
  });
  const bodySchema = operation.requestBody?.content["application/json"].schema;
  const body = bodySchema && h("textarea", { "aria-label": "Body" });
  if (body) body.value = JSON.stringify(example(bodySchema), null, 2);
  const result = h("pre", { hidden: true, "aria-live": "polite" });
  const send = async (event) => {
    event.preventDefault();
    let target = path;
    const query = new URLSearchParams();
    const headers = { Accept: "application/json" };
    for (const [parameter, input] of inputs) {
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value && parameter.in === "query") query.set(parameter.name, input.value);
      else if (input.value) headers[parameter.name] = input.value;
    }
    const token = byId("token").value.trim();
    if (token && operation.security.length) headers.Authorization = `Bearer ${token}`;
    if (body) headers["Content-Type"] = "application/json";
    const began = performance.now();
    const answer = await fetch(target + (query.size ? `?${query}` : ""), { method: method.toUpperCase(), headers, body: body?.value });
    const text = await answer.text();
    const shown = [...answer.headers].filter(([name]) => /^(etag|location|link|retry-after|ratelimit|x-request-id|idempotency)/.test(name));
    let pretty = text;
    try { pretty = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
    result.hidden = false;
    result.textContent = `${answer.status} ${answer.statusText} · ${Math.round(performance.now() - began)} ms\n`
      + shown.map(([name, value]) => `${name}: ${value}`).join("\n") + `\n\n${pretty}`;
    const made = pretty.match(/"access_token": "([^"]+)"/);
    if (made) byId("token").value = made[1];
  };
  return [h("h3", {}, "Try"), h("form", { onsubmit: send },
    inputs.map(([parameter, input]) => h("label", {}, h("code", {}, parameter.name), input)), body, h("p", {}, h("button", {}, "Send")), result)];
}

function fill(panel, method, path, operation) {
  const success = Object.entries(operation.responses).find(([status]) => status < 300);
  const shown = Object.values(success[1].content ?? {})[0]?.schema;
  panel.append(...[
    operation.description && h("p", {}, prose(operation.description)),
    operation.parameters.length && h("h3", {}, "Parameters"),
    operation.parameters.length && table(["name", "in", "type", ""], operation.parameters.map((parameter) => [
      h("code", {}, parameter.name, parameter.required ? "" : "?"), parameter.in, h("code", {}, typeName(parameter.schema)),
      [parameter.description, limits(parameter.schema)].filter(Boolean).join(" · "),
    ]), "fields"),
    operation.requestBody && h("h3", {}, "Body"),
    ...(operation.requestBody ? fields(operation.requestBody.content["application/json"].schema) : []),
    h("h3", {}, `Answer ${success[0]}`), ...(shown ? fields(shown) : [h("p", {}, "No body.")]),
    ...refusals(operation), ...tryForm(method, path, operation),
  ].filter(Boolean));
}

function card(method, path, operation) {
  const panel = h("div");
  const roles = operation.security.length ? operation["x-roles"] : ["public"];
  const details = h("details", {}, h("summary", {}, h("span", { class: `method ${method}` }, method.toUpperCase()),
    h("span", { class: "path" }, path), h("span", { class: "summary" }, operation.summary),
    roles.map((role) => h("span", { class: "role" }, role))), panel);
  details.addEventListener("toggle", () => { if (!panel.hasChildNodes()) fill(panel, method, path, operation); });
  return h("article", { id: operation.operationId, "data-text": `${method} ${path} ${operation.summary}`.toLowerCase() }, details);
}

function show() {
  const operations = Object.entries(contract.paths)
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ method, path, operation })));
  const main = byId("main");
  byId("version").textContent = contract.info.version;
  main.replaceChildren(h("p", {}, prose(contract.info.description)));
  for (const tag of contract.tags.map((entry) => entry.name)) {
    const members = operations.filter(({ operation }) => operation.tags[0] === tag);
    if (!members.length) continue;
    main.append(h("h2", {}, tag), ...members.map(({ method, path, operation }) => card(method, path, operation)));
    byId("contents").append(h("h2", {}, tag), ...members.map(({ operation }) =>
      h("a", { href: `#${operation.operationId}`, "data-text": operation.summary.toLowerCase() }, operation.summary)));
  }
  main.append(h("h2", { id: "problems" }, "Problems"), table(["status", "code", "retry", "meaning", "中文"],
    contract["x-problems"].map((entry) => [entry.status, h("code", { id: `problem-${entry.code}` }, entry.code),
      entry.retryable ? "yes" : "no", entry.detail, entry.chinese])));
  byId("contents").append(h("h2", {}, "more"), h("a", { href: "#problems" }, "Problems"), h("a", { href: "/openapi.json" }, "openapi.json"));
}

function open() {
  const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  target.querySelector(":scope > details")?.setAttribute("open", "");
  target.scrollIntoView();
}

show();
open();
addEventListener("hashchange", open);
byId("filter").addEventListener("input", ({ target }) => {
  const wanted = target.value.toLowerCase();
  for (const node of document.querySelectorAll("[data-text]")) node.hidden = !node.dataset.text.includes(wanted);
});
