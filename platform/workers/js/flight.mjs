// Flights: what one request brings and identical ones of this isolate wait for. What a flight brings is plain data, which
// may cross from request to request; who joins, and what becomes of it, is decided in Rust.

import { WeakValues } from "./weak_values.mjs";

/** Those under way, by key. Each is kept by the requests that take part in it, and goes with the last of them. */
export const flights = new WeakValues();

export class Flight {
  /** A promise of what it brings; of one that is lost it is never kept. */
  landed;
  land;
  #key;

  /** A flight that is under way from now on. */
  constructor(key) {
    this.#key = key;
    this.landed = new Promise((resolve) => (this.land = resolve));
    flights.set(key, this);
  }

  /** From here on nobody joins it. */
  forget() {
    if (flights.get(this.#key) === this) flights.delete(this.#key);
  }
}
