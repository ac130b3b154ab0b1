// The cache of the datacenter (`caches.default`). It is asked for a bare URL: the fields of a client's request choose
// nothing in it. A cache that fails, or that is not there, has nothing and takes nothing: nobody is told, as whoever
// asks goes on without it.

import { respond } from "./reply.mjs";

/** A promise of the stored response; undefined if there is none. */
export async function find(key) {
  try {
    return await caches.default.match(key);
  } catch {
    return undefined;
  }
}

/** Stores an answer. The promise is fulfilled when that is over, whatever came of it. */
export async function keep(key, answer) {
  try {
    await caches.default.put(key, respond(answer));
  } catch (error) {
    console.debug(`an answer was not stored: ${error}`);
  }
}

/** Removes a stored answer. The promise is fulfilled when that is over, whatever came of it. */
export async function remove(key) {
  try {
    await caches.default.delete(key);
  } catch (error) {
    console.debug(`a stored answer was not removed: ${error}`);
  }
}
