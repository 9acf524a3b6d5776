// Who is signed in. Tokens live in sessionStorage: closing the tab signs out of this browser.
//
// A refresh token works once. A duplicated tab starts with a copy of it, and two tabs refreshing with the same token
// would look like theft and end the session. So refreshing is done under a lock shared by all tabs of this origin, and
// the new tokens are told to the others.

import { ask, Problem } from "./api.js";
import { serverNow } from "./clock.js";
import { makeSignal } from "./ui.js";

const KEPT = "fieldhub.session";
const EARLY_MS = 45_000; // refresh this long before the token ends
const SETTLE_MS = 50; // the lock is held until the other tabs have heard the new tokens
const ENDED = new Set(["session_revoked", "refresh_reused", "refresh_invalid", "account_closed"]);

const changed = makeSignal();
const others = "BroadcastChannel" in window ? new BroadcastChannel(KEPT) : null;

let current = read();
let ended = null;
let refreshing = null;

others?.addEventListener("message", ({ data }) => {
  const isOurs = current && data?.session_id === current.session_id;
  if (isOurs && data.refresh_expires_at >= current.refresh_expires_at) keep(data);
});

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    return null;
  }
}

function keep(next) {
  current = next;
  try {
    if (next) sessionStorage.setItem(KEPT, JSON.stringify(next));
    else sessionStorage.removeItem(KEPT);
  } catch {
    // storage closed: the session lasts as long as the page
  }
  changed.emit();
}

export const sessionChanges = { subscribe: changed.subscribe };

/** `{session_id, account, …}` or null. */
export function currentSession() {
  return current;
}

export function requestCode(phone) {
  return ask("POST", "/v1/auth/codes", { body: { phone } });
}

export async function signIn(phone, code) {
  keep(await ask("POST", "/v1/auth/sessions", { body: { phone, code } }));
}

/** Ends the session here and, when the server can be reached, there. */
export async function signOut() {
  const token = current?.access_token;
  keep(null);
  if (token) await ask("DELETE", "/v1/auth/sessions/current", { token }).catch(() => null);
}

/** Forget the session because the server has; the sign-in panel says why. */
export function endSession(code) {
  ended = code;
  keep(null);
}

/** Why the last session ended by itself: an error code or null. Asking forgets it. */
export function takeEnd() {
  const code = ended;
  ended = null;
  return code;
}

/** An access token that is good for a while; null when nobody is signed in. Throws Problem when there is no network. */
export async function freshToken({ force = false } = {}) {
  if (!current) return null;
  if (!force && Date.parse(current.access_expires_at) - serverNow() > EARLY_MS) return current.access_token;
  refreshing ??= underLock(() => refresh(current?.access_token)).finally(() => (refreshing = null));
  await refreshing;
  return current?.access_token ?? null;
}

function underLock(task) {
  return navigator.locks ? navigator.locks.request(KEPT, task) : task();
}

async function refresh(stale) {
  // Another tab may have refreshed while we waited for the lock.
  if (!current || current.access_token !== stale) return;
  try {
    const renewed = await ask("POST", "/v1/auth/refresh", { body: { refresh_token: current.refresh_token } });
    keep({ ...current, ...renewed });
    others?.postMessage(current);
    await new Promise((settled) => setTimeout(settled, SETTLE_MS));
  } catch (problem) {
    if (problem instanceof Problem && (problem.status === 401 || ENDED.has(problem.code))) endSession(problem.code);
    else throw problem;
  }
}

/** Ask as the signed-in person; a token that has just expired is refreshed once. Throws Problem. */
export async function askAsMe(method, path, options = {}) {
  const token = await freshToken();
  try {
    return await ask(method, path, { ...options, token });
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    if (ENDED.has(problem.code)) {
      endSession(problem.code);
      throw problem;
    }
    return ask(method, path, { ...options, token: await freshToken({ force: true }) });
  }
}
