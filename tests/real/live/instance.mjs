// Which instance of an object answers. An object that sleeps loses its memory, and starts as another instance.
import assert from "node:assert/strict";
import { append, send, sleep } from "../workers/client.mjs";

const DEBUG = { "tailrace-debug": "1" };
/** An object without work hibernates after 10 s; the rest is for the runtime to get round to it. */
const IDLE_MS = 12_500;

/** The instance that answers now; an object that sleeps wakes for it. */
export async function instance(path) {
  return named(await send("HEAD", path, { headers: DEBUG }));
}

/** Appends text, and answers the instance that took it. */
export async function appendTo(path, text) {
  return named(await append(path, text, DEBUG));
}

/** Leaves an object alone until it sleeps. */
export const untilAsleep = () => sleep(IDLE_MS);

function named({ status, headers }) {
  assert.ok(status === 200 || status === 204, `status ${status}`);
  assert.match(headers["tailrace-instance"], /^[0-9a-f]{32}$/);
  return headers["tailrace-instance"];
}
