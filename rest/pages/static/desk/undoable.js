// Steps that can be taken back: they are shown as done and done five seconds later, or at once when the page is left.

const WAIT_MS = 5_000;

export class Undoable {
  constructor(onChange) {
    this.onChange = onChange;
    this.steps = new Map(); // key → {key, text, at, run, timer}
    this.faults = new Map(); // key → {key, text, problem}
    this.leave = () => this.stop();
    window.addEventListener("pagehide", this.leave);
  }

  /** `run()` does it and may throw Problem. */
  plan(key, text, run) {
    this.now(key);
    const timer = setTimeout(() => this.now(key), WAIT_MS);
    this.steps.set(key, { key, text, at: Date.now() + WAIT_MS, run, timer });
    this.faults.delete(key);
    this.onChange();
  }

  /** Do it without waiting any longer. */
  now(key) {
    const step = this.steps.get(key);
    if (!step) return;
    this.forget(key);
    step.run().catch((problem) => {
      this.faults.set(key, { key, text: step.text, problem });
      this.onChange();
    });
  }

  forget(key) {
    clearTimeout(this.steps.get(key)?.timer);
    this.steps.delete(key);
    this.faults.delete(key);
    this.onChange();
  }

  has(key) {
    return this.steps.has(key);
  }

  /** The page is left: what was meant happens. */
  stop() {
    window.removeEventListener("pagehide", this.leave);
    for (const key of [...this.steps.keys()]) this.now(key);
  }
}
