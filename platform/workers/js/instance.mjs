// The life of the wasm instance of this isolate.
//
// Rust never throws on purpose. Whatever a call into wasm throws is a panic, an overflow or a lost memory, and after it
// nothing in the instance can be trusted: it is lost. What waits in it is answered at once, and the next call gets a
// fresh instance, for which objects start again from their storage.

import { env } from "cloudflare:workers";
import * as rust from "./index.js";

let generation = 0;
let isLost = false;
let lastCall = 0;
// What becomes of calls that wait in the instance, by their number: functions of an outcome.
const waiting = new Map();

// A task of Rust runs without a caller: what it throws is seen here alone.
addEventListener("error", (event) => judge(event.error));
addEventListener("unhandledrejection", (event) => judge(event.reason));

configure();

/** The deployment's variables, as `configure` in Rust reads them, and whether it has a bucket. */
function configure() {
  let variables = "";
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith("TAILRACE_") && typeof value === "string") variables += `${name}\0${value}\0`;
  }
  rust.configure(variables, env.SEGMENTS !== undefined);
}

/** What nobody caught: a trap or an overflow is Rust's. A task of an instance that was replaced fails harmlessly. */
function judge(error) {
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) lose(error);
}

/** Tells the instance that is to be used now from all earlier ones; makes it first, if the last one was lost. */
export function instance() {
  if (isLost) {
    rust.__wbg_reset_state();
    configure();
    generation += 1;
    isLost = false;
    console.warn("the wasm instance was replaced");
  }
  return generation;
}

/** The instance is lost: whatever waits in it ends now. */
export function lose(error) {
  console.error("the wasm instance is lost:", error);
  isLost = true;
  const settles = [...waiting.values()];
  waiting.clear();
  for (const settle of settles) settle(undefined);
}

/** A number for a call into the instance. */
export function nextCall() {
  lastCall = (lastCall + 1) >>> 0;
  return lastCall;
}

/** Waits for the outcome of a call that is pending; undefined if its instance is lost. */
export function outcomeOf(call) {
  return new Promise((resolve) => waiting.set(call, resolve));
}

/** Ends the wait for a call; false if nobody waits. */
export function settle(call, outcome) {
  const resolve = waiting.get(call);
  if (resolve === undefined) return false;
  waiting.delete(call);
  resolve(outcome);
  return true;
}
