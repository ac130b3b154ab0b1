// The body of a client's request. Its bytes stay in JavaScript; Rust asks only how much of it there is.

/** How a read ended: src/outcome.rs. */
const WHOLE = 40;
const BEYOND = 41;
const BROKEN = 42;
const DROPPED = 43;

/**
 * What was read is not read twice, however often it is asked for: the next wasm instance may serve the request anew.
 */
export class Upload {
  /** The whole body, once it has been read within its limit; else null. */
  bytes = null;
  #request;
  #reader = null;
  /** The read under way, or how the last one ended; its limit; and what has come so far. */
  #reading = null;
  #limit = 0;
  #chunks = [];
  #size = 0;
  #draining = null;

  constructor(request) {
    this.#request = request;
  }

  /**
   * Reads and keeps the body, or stops once more than `limit` bytes have come; with a larger limit it goes on there. An
   * infinite limit is for a body whose declared length is within the limit. What takes longer than `withinMs` has broken
   * off. After a drain it tells only whether more than `limit` bytes had come. Returns how the read ended.
   */
  read(limit, withinMs) {
    if (this.#draining !== null) return this.#draining.then(() => (this.#size > limit ? BEYOND : DROPPED));
    if (this.#reading === null || limit > this.#limit) {
      this.#limit = limit;
      const reading = this.#read(this.#reading, limit);
      this.#reading = withinMs === Infinity ? reading : within(withinMs, reading);
    }
    return this.#reading;
  }

  async #read(before, limit) {
    try {
      if (before !== null && (await before) !== BEYOND) return before;
      if (limit === Infinity) {
        this.bytes = new Uint8Array(await this.#request.arrayBuffer());
        return WHOLE;
      }
      this.#reader ??= this.#request.body.getReader();
      while (this.#size <= limit) {
        const { done, value } = await this.#reader.read();
        if (done) {
          this.bytes = join(this.#chunks, this.#size);
          this.#chunks = [];
          return WHOLE;
        }
        this.#chunks.push(value);
        this.#size += value.byteLength;
      }
      return BEYOND;
    } catch {
      return BROKEN;
    }
  }

  /** Drops what is kept, and reads and drops the rest of the body. */
  drain() {
    return (this.#draining ??= this.#drain());
  }

  async #drain() {
    // A read that was left goes on, and has the body for itself.
    await this.#reading;
    this.bytes = null;
    this.#chunks = [];
    try {
      this.#reader ??= this.#request.body.getReader();
      for (let step = await this.#reader.read(); !step.done; step = await this.#reader.read()) {
        this.#size += step.value.byteLength;
      }
    } catch {
      // The client is gone.
    }
    return WHOLE;
  }
}

/** A promise of how a read ended; it has broken off once `ms` have passed, though it goes on. */
function within(ms, reading) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, BROKEN);
    reading.then((outcome) => {
      clearTimeout(timer);
      resolve(outcome);
    });
  });
}

function join(chunks, size) {
  if (chunks.length === 1) return chunks[0];
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
