// A Worker with limits of how often clients may do something. The runtime has no such bindings, so these are entrypoints of
// the same Worker, which count as the platform does: by key, in one place, and here for as long as the isolate lives.

import { WorkerEntrypoint } from "cloudflare:workers";

export * from "./entry.mjs";
export { default } from "./entry.mjs";

/** How many of each a client may do. */
const MOST = 3;

/** The client whose limit fails, and the one whose limit takes long. */
const FAILING = "192.0.2.99";
const SLOW = "192.0.2.98";
const LONG_MS = 2_000;

const counts = new Map();

async function count(limit, key) {
  if (key.includes(FAILING)) return undefined;
  if (key.includes(SLOW)) await scheduler.wait(LONG_MS);
  // A token is a password, and whoever runs the platform sees keys.
  if (key.includes("eyJ")) throw new Error("the key holds a token");
  const counted = (counts.get(`${limit} ${key}`) ?? 0) + 1;
  counts.set(`${limit} ${key}`, counted);
  return { success: counted <= MOST };
}

export class Openings extends WorkerEntrypoint {
  limit({ key }) {
    return count("openings", key);
  }
}

export class Failures extends WorkerEntrypoint {
  limit({ key }) {
    return count("failures", key);
  }
}
