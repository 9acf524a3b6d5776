// The REST side: one way to ask, one shape of refusal (RFC 9457).

import { tag } from "./words.js";

const PATIENCE_MS = 15_000;

/** A refusal, or no answer at all (`code` is then `network`). `detail` is for people, `code` for us. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || document.code || `HTTP ${status}`);
    this.status = status;
    this.code = document.code ?? "internal";
    this.document = document;
  }
}

/**
 * Ask; the decoded JSON answer, or null where there is none. Throws Problem, or AbortError when `signal` says so.
 * `key`: makes a repeated POST safe. `match`: the version one has read. `file`: a Blob as the body; `isFile`: answer
 * with a Blob.
 */
export async function ask(method, path, { token, body, signal, key, match, file, isFile } = {}) {
  const headers = { "Accept-Language": tag() };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (key) headers["Idempotency-Key"] = key;
  if (match !== undefined) headers["If-Match"] = `"v${match}"`;
  if (file) headers["Content-Type"] = file.type;
  else if (body !== undefined) headers["Content-Type"] = "application/json";
  const patience = AbortSignal.timeout(PATIENCE_MS);
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: file ?? (body === undefined ? undefined : JSON.stringify(body)),
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
      cache: "no-cache",
      credentials: "omit",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, { code: "network" });
  }
  if (isFile && response.ok) return response.blob();
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Problem(response.status, answer ?? {});
  return answer;
}
