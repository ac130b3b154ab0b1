// Flights. A flight is the work of one request for an answer that identical requests of this isolate share: the first
// one starts it and does the work, the others join it and wait. It lands when it hands its answer to those who have
// joined. The answer is plain data, so it may cross from one request to another. Rust gives the key; who comes to one
// under way joins it, and is told how old it is: the request that flies it may have ended without telling us, so Rust
// gives up one that is too old.

import { WeakValues } from "./weak_values.mjs";

/** The flights under way, by key. The requests that take part in a flight keep it alive; it is gone with the last. */
export const flights = new WeakValues();

export class Flight {
  /** What has been noted for those who join it (a time, which means nothing here), or -1. */
  noted = -1;
  /** A promise of the kept answer and its age in s; if the flight is lost, it is never fulfilled. */
  #landed;
  #tellLanded;
  /** The same, or of nothing, if something is noted before. */
  #news;
  #tellNews;
  #key;
  #beganMs = Date.now();

  /** Starts a flight: from here on identical requests join it. */
  constructor(key) {
    this.#key = key;
    this.#landed = new Promise((resolve) => (this.#tellLanded = resolve));
    this.#news = new Promise((resolve) => (this.#tellNews = resolve));
    flights.set(key, this);
  }

  /**
   * A promise of the kept answer with its age, or of nothing, if something is noted where nothing was. It is one
   * promise, because the runtime takes long to tell a request of what another one has done.
   */
  next() {
    return this.noted < 0 ? this.#news : this.#landed;
  }

  note(untilMs) {
    this.noted = untilMs;
    this.#tellNews();
  }

  land(kept, ageS) {
    const landed = { kept, ageS };
    this.#tellNews(landed);
    this.#tellLanded(landed);
  }

  /** How long ago it was started, in ms. */
  ageMs() {
    return Math.max(0, Date.now() - this.#beganMs);
  }

  /** From here on nobody joins the flight; the next identical request starts another one. */
  forget() {
    if (flights.get(this.#key) === this) flights.delete(this.#key);
  }
}
