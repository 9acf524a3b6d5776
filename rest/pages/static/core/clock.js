// The server's clock as seen from here. Ages on the page are measured against it: a desk with a wrong clock must not
// call a living technician lost.

const SAMPLE_MAX_AGE_MS = 600_000; // clocks drift; an old good sample gives way to a newer worse one

let offset_ms = 0;
let best = null;

/** Learn from one exchange: the server said `server_ms` somewhere within the last `trip_ms`. */
export function learnClock(server_ms, trip_ms) {
  const heard = performance.now();
  if (!Number.isFinite(server_ms) || !Number.isFinite(trip_ms)) return;
  if (best && best.trip_ms < trip_ms && heard - best.heard < SAMPLE_MAX_AGE_MS) return;
  best = { trip_ms, heard };
  offset_ms = server_ms + trip_ms / 2 - Date.now();
}

/** Milliseconds since 1970, as the server counts them. */
export function serverNow() {
  return Date.now() + offset_ms;
}
