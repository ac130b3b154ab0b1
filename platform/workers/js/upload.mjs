// The body of a client's request.

/** How reading ended: src/outcome.rs. */
const WHOLE = 40;
const BEYOND = 41;
const BROKEN = 42;

/** Each operation is done once, however often it is asked for: a request may begin anew. */
export class Upload {
  /** What was kept. */
  bytes = null;
  #request;
  #reader = null;
  #reading = null;
  #draining = null;

  constructor(request) {
    this.#request = request;
  }

  /** Reads to the end, or until more than `limit` bytes are there; an infinite limit is for a body of declared length. */
  read(limit) {
    return (this.#reading ??= this.#read(limit));
  }

  async #read(limit) {
    try {
      if (limit === Infinity) {
        this.bytes = await this.#request.arrayBuffer();
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

  /** Drops what is kept, reads the rest and drops it. */
  drain() {
    return (this.#draining ??= this.#drain());
  }

  async #drain() {
    this.bytes = null;
    try {
      this.#reader ??= this.#request.body.getReader();
      while (!(await this.#reader.read()).done);
    } catch {
      // Its client is gone.
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
