// The body of an answer that the edge writes piece by piece (events). It counts the bytes that wait for the client, and
// calls its listener whenever the client has taken some, or is gone.

/** How a wait ended: src/outcome.rs. */
const GONE = 23;
const TAKEN = 30;
const STALLED = 31;

/** What `push` returns if the client is gone: src/outcome.rs. */
const NOBODY = -4;

export class Download {
  /** What the response gets as its body. */
  readable;
  /** Called after each change of `waiting` and `gone`. */
  listener = null;
  /** Bytes that wait for the client. */
  waiting = 0;
  /** Whether the client is gone. */
  gone = false;
  #writer;

  constructor() {
    const { readable, writable } = new IdentityTransformStream();
    this.readable = readable;
    this.#writer = writable.getWriter();
  }

  /** Queues bytes. Returns how many bytes now wait for the client, or NOBODY. */
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

  /** Waits until at most `bufferBytes` wait for the client, for at most `waitMs`. Returns how the wait ended. */
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
      // The client is gone.
    });
  }
}
