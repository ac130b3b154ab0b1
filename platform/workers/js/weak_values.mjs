// A map that keeps no value alive. A request may end without a word: whatever the isolate remembers of it has to go
// with it, and a strong reference from a map would keep its task and its bytes for ever.

/** Entries after which those of values that are gone are looked for, at first. */
const LEAST = 64;

export class WeakValues {
  #entries = new Map();
  #room = LEAST;
  #forgotten;

  /** `forgotten` is told the key of each value that is gone without having been deleted. */
  constructor(forgotten = () => {}) {
    this.#forgotten = forgotten;
  }

  /** How many entries there are, with those of values that are gone and not yet looked for. */
  get size() {
    return this.#entries.size;
  }

  get(key) {
    return this.#entries.get(key)?.deref();
  }

  set(key, value) {
    if (this.#entries.size >= this.#room) this.#sweep();
    this.#entries.set(key, new WeakRef(value));
  }

  delete(key) {
    this.#entries.delete(key);
  }

  /** The values that are still there. */
  values() {
    return [...this.#entries.values()].map((reference) => reference.deref()).filter((value) => value !== undefined);
  }

  clear() {
    this.#entries.clear();
  }

  /** Each sweep leaves as much room as there are entries: it costs each entry a constant. */
  #sweep() {
    for (const [key, reference] of this.#entries) {
      if (reference.deref() !== undefined) continue;
      this.#entries.delete(key);
      this.#forgotten(key);
    }
    this.#room = Math.max(LEAST, 2 * this.#entries.size);
  }
}
