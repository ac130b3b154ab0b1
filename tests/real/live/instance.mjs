// Which instance of an object answers. An object that sleeps loses its memory; when it wakes, it is another instance.
import assert from "node:assert/strict";
import { append, send, sleep } from "../workers/client.mjs";

const DEBUG = { "tailrace-debug": "1" };
/** An idle object hibernates after 10 s, and the runtime may be a little late. */
const IDLE_MS = 12_500;

/** The instance that answers now. An object that sleeps wakes for the question. */
export async function instance(path) {
  return named(await send("HEAD", path, { headers: DEBUG }));
}

/** The instance that answers now, the rows that it reads for that, and those that it has read since it woke. */
export async function rowsRead(path) {
  const answer = await send("HEAD", path, { headers: DEBUG });
  const [, request, instance] = answer.headers["tailrace-rows-read"].match(/^request=(\d+); instance=(\d+)$/);
  return { name: named(answer), request: Number(request), instance: Number(instance) };
}

/** Appends text. Returns the instance that answered. */
export async function appendTo(path, text) {
  return named(await append(path, text, DEBUG));
}

/** Waits until an object sleeps that nobody asks anything. */
export const untilAsleep = () => sleep(IDLE_MS);

function named({ status, headers }) {
  assert.ok(status === 200 || status === 204, `status ${status}`);
  assert.match(headers["tailrace-instance"], /^[0-9a-f]{32}$/);
  return headers["tailrace-instance"];
}
