// What edge and object agree on in JavaScript.

/** The header in which a message reaches an object, percent-encoded. */
export const MESSAGE_HEADER = "tailrace-message";

/** The class of projects' objects; streams' are 0: core's `protocol::Class`. */
export const PROJECT = 1;

// How a call to an object failed: src/outcome.rs.
const RESET = -1;
const OVERLOADED = -2;
const EXCEPTION = -3;

/** How a call failed, judged by the exception. */
export function failureOf(error) {
  if (error.overloaded) return OVERLOADED;
  return error.remote && !error.durableObjectReset ? EXCEPTION : RESET;
}
