// The wasm instance of this isolate: how it is made, lost and replaced.
//
// Rust throws on purpose only what the runtime takes itself (an exception that undoes a transaction). If a call into
// wasm throws, that is a panic, an overflow or exhausted memory, and nothing in the instance can be trusted any more:
// it is lost. Whatever else throws where a request is served counts as such, too: what has become of the task is
// unknown. Everything that waits for it is told at once. The next call makes a fresh instance, and objects start again
// in it from their storage.

import { env } from "cloudflare:workers";
import * as rust from "./index.js";
import { plain } from "./reply.mjs";

/** The answer, as plain data, of an object whose instance was lost. Rust cannot make it then. */
export let whenLost;

/** The names of the header fields of a client's request that Rust reads. */
export let picked;

let generation = 0;
let isLost = false;
// What is called when the instance is lost.
const losses = [];

// An object's task in Rust may run without a caller in JavaScript: only these events show what it throws.
addEventListener("error", (event) => judge(event.error));
addEventListener("unhandledrejection", (event) => judge(event.reason));

configure();

/**
 * Hands the deployment's variables to Rust, as `configure` there reads them, and the names of all bindings. A variable
 * that is no string, as a number without quotes, is handed over as its JSON text: Rust judges that like any other.
 */
function configure() {
  let variables = "";
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith("TAILRACE_")) continue;
    variables += `${name}\0${typeof value === "string" ? value : JSON.stringify(value)}\0`;
  }
  rust.configure(variables, Object.keys(env).join("\0"));
  picked = rust.pickedHeaders().split("\n").slice(0, -1);
  rust.objectWhenLost({ answer: (status, fields, body) => (whenLost = plain(status, fields, body)) });
}

/**
 * The answer, as plain data, to a request at which the instance was lost, by the next one. `request` is the text with which
 * Rust was to serve it. If there is no next instance, the client is told at least that something failed.
 */
export function answerWhenLost(request, isInner) {
  let answer = whenLost;
  try {
    instance();
    rust.answerWhenLost({ answer: (status, fields, body) => (answer = plain(status, fields, body)) }, request, isInner);
  } catch (error) {
    lose(error);
  }
  return answer;
}

/** Takes an error that nobody caught. A trap or an overflow comes from Rust: the instance is lost. */
function judge(error) {
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) lose(error);
}

/** The number of the present instance, which no earlier one had. Makes a new instance if the last one was lost. */
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

/** Whether the instance of that number is the present one, and not lost. */
export const isPresent = (number) => !isLost && number === generation;

/** Has `tell` called whenever the instance is lost. */
export function onLoss(tell) {
  losses.push(tell);
}

/** Records that the instance is lost, and tells everybody who waits for it. */
export function lose(error) {
  console.error("the wasm instance is lost:", error);
  isLost = true;
  for (const tell of losses) tell();
}
