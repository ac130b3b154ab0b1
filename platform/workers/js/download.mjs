// The body of an answer that the edge writes piece by piece (events). It counts the bytes that wait for the client, and
// tells when the client has taken some, and when it is gone.
//
// Each delivered event goes through `push` and one of its two reactions. So they make nothing that they can do without:
// the reactions are made once for each body, and the lengths of pieces are not in an array unless several wait.

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
  /** Called each time that the client has taken a piece. */
  whenTaken = null;
  /** Called when the client turns out to be gone, for each piece that it has not taken. */
  whenGone = null;
  /** Bytes that wait for the client. */
  waiting = 0;
  /** Whether the client is gone. */
  gone = false;
  #writer;
  #number = (opened += 1);
  /** The length of the oldest piece that waits, and those of the others in order. */
  #oldest = 0;
  #others = [];
  #taken = () => {
    this.#settle();
    if (this.whenTaken !== null) this.whenTaken();
  };
  #lost = () => {
    this.#settle();
    this.gone = true;
    if (this.whenGone !== null) this.whenGone();
  };

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
      if (this.waiting === 0) this.#oldest = length;
      else this.#others.push(length);
      this.waiting += length;
      total += length;
      this.#writer.write(bytes).then(this.#taken, this.#lost);
    }
    return this.waiting;
  }

  /** Waits until at most `bufferBytes` wait for the client, for at most `waitMs`. Returns how the wait ended. */
  drained(bufferBytes, waitMs) {
    return new Promise((resolve) => {
      const end = (outcome) => {
        clearTimeout(timer);
        this.whenTaken = null;
        this.whenGone = null;
        resolve(outcome);
      };
      const timer = setTimeout(end, waitMs, STALLED);
      const look = () => {
        if (this.gone) end(GONE);
        else if (this.waiting <= bufferBytes) end(TAKEN);
      };
      this.whenTaken = look;
      this.whenGone = look;
      look();
    });
  }

  /** The oldest piece waits no more: pieces are taken, or lost, in order. */
  #settle() {
    this.waiting -= this.#oldest;
    total -= this.#oldest;
    if (this.waiting > 0) this.#oldest = this.#others.shift();
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
