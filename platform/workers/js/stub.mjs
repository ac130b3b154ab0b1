// What edge and object agree on beside what Rust says to each other.

/** The header in which a message reaches an object that may answer with a socket, percent-encoded. */
export const MESSAGE_HEADER = "tailrace-message";

// How a call to an object failed: src/edge.rs.
const RESET = 0;
const OVERLOADED = 1;
const EXCEPTION = 2;

/** How a call failed, by the exception. */
export function failureOf(error) {
  if (error.overloaded) return OVERLOADED;
  return error.remote && !error.durableObjectReset ? EXCEPTION : RESET;
}
