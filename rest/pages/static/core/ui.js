// Preact with htm: templates without a build step, and the hooks every component uses.

import { h, render } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import htm from "htm";

export const html = htm.bind(h);
export { render, useEffect, useLayoutEffect, useMemo, useRef, useState };

/** Renders again whenever `source.subscribe` calls back. */
export function useSource(source) {
  const [, setTurn] = useState(0);
  useEffect(() => source.subscribe(() => setTurn((turn) => turn + 1)), [source]);
}

/** Renders again every `period_ms`: ages and counters grow while nothing happens. */
export function useTick(period_ms) {
  const [, setTurn] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTurn((turn) => turn + 1), period_ms);
    return () => clearInterval(timer);
  }, [period_ms]);
}

/** A set of listeners; `subscribe` returns the way out. */
export function makeSignal() {
  const listeners = new Set();
  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    emit(...values) {
      for (const listener of [...listeners]) listener(...values);
    },
  };
}

/** Calls `task` once with the next picture, however often it is asked for; hidden pages have no pictures, but clocks. */
export function perFrame(task) {
  let isDue = false;
  const run = () => {
    isDue = false;
    task();
  };
  return () => {
    if (isDue) return;
    isDue = true;
    if (document.hidden) setTimeout(run, 100);
    else requestAnimationFrame(run);
  };
}
