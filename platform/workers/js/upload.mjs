// The body of a client's request. Its bytes stay in JavaScript; Rust asks only how much of it there is.

/** How a read ended: src/outcome.rs. */
const WHOLE = 40;
const BEYOND = 41;
const BROKEN = 42;

/** Each operation is done once, however often it is asked for: the next wasm instance may serve the request anew. */
export class Upload {
  /** The whole body, once it has been read within its limit; else null. */
  bytes = null;
  #request;
  #reader = null;
  #reading = null;
  #draining = null;

  constructor(request) {
    this.#request = request;
  }

  /**
   * Reads and keeps the body, or stops once more than `limit` bytes have come. An infinite limit is for a body whose
   * declared length is within the limit. Returns how the read ended.
   */
  read(limit) {
    return (this.#reading ??= this.#read(limit));
  }

  async #read(limit) {
    try {
      if (limit === Infinity) {
        this.bytes = new Uint8Array(await this.#request.arrayBuffer());
        return WHOLE;
      }
      this.#reader = this.#request.body.getReader();
      const chunks = [];
      let size = 0;
      for (let step = await this.#reader.read(); !step.done; step = await this.#reader.read()) {
        chunks.push(step.value);
        size += step.value.byteLength;
        if (size > limit) return BEYOND;
      }
      this.bytes = join(chunks, size);
      return WHOLE;
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
    try {
      this.#reader ??= this.#request.body.getReader();
      while (!(await this.#reader.read()).done);
    } catch {
      // The client is gone.
    }
    return WHOLE;
  }
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
