// The life of the wasm instance of this isolate.
//
// Rust never throws on purpose. Whatever a call into wasm throws is a panic, an overflow or a lost memory, and after it
// nothing in the instance can be trusted: it is lost. What waits for it is told at once, and the next call gets a fresh
// instance, for which objects start again from their storage.

import { env } from "cloudflare:workers";
import * as rust from "./index.js";

let generation = 0;
let isLost = false;
// What to do when the instance is lost.
const losses = [];

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

/** Has this called whenever the instance is lost. */
export function onLoss(tell) {
  losses.push(tell);
}

/** The instance is lost: whoever waits for it is told. */
export function lose(error) {
  console.error("the wasm instance is lost:", error);
  isLost = true;
  for (const tell of losses) tell();
}
