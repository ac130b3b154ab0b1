// A map that keeps no value alive. The runtime may end a request without telling us: a strong reference from a map
// would keep its task and its bytes for ever.

/** The first sweep comes at this many entries. */
const LEAST = 64;

export class WeakValues {
  #entries = new Map();
  #room = LEAST;
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
    if (this.#entries.size >= this.#room) this.#sweep();
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
   * Removes entries whose values are garbage. The next sweep comes when their number has doubled: O(1) for each entry.
   */
  #sweep() {
    for (const [key, reference] of this.#entries) {
      if (reference.deref() !== undefined) continue;
      this.#entries.delete(key);
      this.#forgotten(key);
    }
    this.#room = Math.max(LEAST, 2 * this.#entries.size);
  }
}
