// A map that keeps no value alive. The runtime may end a request without telling us: a strong reference from a map
// would keep its task and its bytes for ever.
//
// Entries of values that are garbage are removed by sweeps. One comes with the first new entry after a minute, so that
// a few requests that ended without a word do not keep their tasks for as long as the isolate lives, and one when the
// number of entries has doubled, so that many do not have to wait for it.

/** The first sweep for their number comes at this many entries. */
const LEAST = 64;

/** How long entries wait for a sweep at most, in ms, if others come. */
const SWEEP_MS = 60_000;

export class WeakValues {
  #entries = new Map();
  #room = LEAST;
  #sweptMs = Date.now();
  #forgotten;

  /** `forgotten` is called with the key of each entry that a sweep removes because its value is garbage. */
  constructor(forgotten = () => {}) {
    this.#forgotten = forgotten;
  }

  /** How many entries there are, including those of values that are garbage and not yet swept. */
  get size() {
    return this.#entries.size;
  }

  get(key) {
    return this.#entries.get(key)?.deref();
  }

  set(key, value) {
    if (this.#entries.size >= this.#room || Date.now() - this.#sweptMs >= SWEEP_MS) this.#sweep();
    this.#entries.set(key, new WeakRef(value));
  }

  delete(key) {
    this.#entries.delete(key);
  }

  /** The values that are still alive. */
  values() {
    return [...this.#entries.values()].map((reference) => reference.deref()).filter((value) => value !== undefined);
  }

  clear() {
    this.#entries.clear();
  }

  /**
   * Removes entries whose values are garbage. The sweeps for their number are O(1) for each entry.
   */
  #sweep() {
    for (const [key, reference] of this.#entries) {
      if (reference.deref() !== undefined) continue;
      this.#entries.delete(key);
      this.#forgotten(key);
    }
    this.#sweptMs = Date.now();
    this.#room = Math.max(LEAST, 2 * this.#entries.size);
  }
}
