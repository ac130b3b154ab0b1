// The body of an answer that goes on: counts what waits for the client, and tells its listener what becomes of it.

/** How waiting ended: src/outcome.rs. */
const GONE = 23;
const TAKEN = 30;
const STALLED = 31;

/** What `push` answers where the client is gone: src/outcome.rs. */
const NOBODY = -4;

export class Download {
  readable;
  listener = null;
  waiting = 0;
  gone = false;
  #writer;

  constructor() {
    const { readable, writable } = new IdentityTransformStream();
    this.readable = readable;
    this.#writer = writable.getWriter();
  }

  /** Queues bytes; answers how many wait. */
  push(bytes) {
    if (this.gone) return NOBODY;
    const { length } = bytes;
    if (length > 0) {
      this.waiting += length;
      this.#writer.write(bytes).then(
        () => {
          this.waiting -= length;
          this.listener?.();
        },
        () => {
          this.gone = true;
          this.listener?.();
        },
      );
    }
    return this.waiting;
  }

  /** Waits until no more than so many bytes wait. */
  drained(bufferBytes, waitMs) {
    return new Promise((resolve) => {
      const end = (outcome) => {
        clearTimeout(timer);
        this.listener = null;
        resolve(outcome);
      };
      const timer = setTimeout(end, waitMs, STALLED);
      this.listener = () => {
        if (this.gone) end(GONE);
        else if (this.waiting <= bufferBytes) end(TAKEN);
      };
      this.listener();
    });
  }

  close() {
    this.#writer.close().catch(() => {
      // Its client is gone.
    });
  }
}
