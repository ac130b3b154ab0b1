// The body of an answer that the edge writes piece by piece (events). It counts the bytes that wait for the client, and
// calls its listener whenever the client has taken some, or is gone.

import { WeakValues } from "./weak_values.mjs";

/** How a wait ended: src/outcome.rs. */
const GONE = 23;
const TAKEN = 30;
const STALLED = 31;

/** What `push` returns if the client is gone: src/outcome.rs. */
const NOBODY = -4;

/** The bodies that are written, by number. */
const bodies = new WeakValues();
let opened = 0;

/** Bytes that wait for the clients of all bodies, and when they were counted anew. */
let total = 0;
let countedMs = Date.now();

/**
 * How often they are counted anew, in ms: what a body had that the runtime has ended without a word waits no more. Our
 * choice: seldom enough to cost nothing with thousands of bodies, and soon compared with how long a client may stall.
 */
const COUNT_MS = 5_000;

/** How many bytes wait for all clients of the isolate. */
export function waitingForClients() {
  if (total > 0 && Date.now() - countedMs >= COUNT_MS) {
    countedMs = Date.now();
    total = bodies.values().reduce((sum, body) => sum + body.waiting, 0);
  }
  return total;
}

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
  #number = (opened += 1);

  constructor() {
    bodies.set(this.#number, this);
    const { readable, writable } = new IdentityTransformStream();
    this.readable = readable;
    this.#writer = writable.getWriter();
  }

  /** Queues bytes. Returns how many bytes now wait for the client, or NOBODY. */
  push(bytes) {
    if (this.gone) return NOBODY;
    const { length } = bytes;
    if (length > 0) {
      this.#count(length);
      this.#writer.write(bytes).then(
        () => {
          this.#count(-length);
          this.listener?.();
        },
        () => {
          this.#count(-length);
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

  #count(bytes) {
    this.waiting += bytes;
    total += bytes;
  }

  /** Ends the body once the client has taken what waits. Then nobody holds it any more. */
  close() {
    const done = () => bodies.delete(this.#number);
    this.#writer.close().then(done, done);
  }

  /** Breaks the client's connection. What waits is dropped. */
  cut() {
    this.gone = true;
    bodies.delete(this.#number);
    this.#writer.abort(new Error("the client does not read")).catch(() => {
      // The client is gone.
    });
  }
}
