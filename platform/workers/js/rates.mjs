// Limits of how often a client may do something: bindings that count by key. One that fails limits nobody, which Rust is
// told.

import { env } from "cloudflare:workers";

/** Counts one more under a key. A promise of whether that is within the limit; undefined if the limit fails. */
export async function count(limit, key) {
  try {
    const { success } = await env[limit].limit({ key });
    return success;
  } catch (error) {
    console.warn(`a limit does not count: ${error}`);
    return undefined;
  }
}
