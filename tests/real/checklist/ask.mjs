// What the tests of the checklist share: streams whose pages are short, and what answers say of caches.
import assert from "node:assert/strict";
import { append, create, send, sleep } from "../workers/client.mjs";

export { append, create, fresh, send, sleep } from "../workers/client.mjs";

/** Bytes of a page, and how long live reads wait, in ms: as the server is started (tests/real/src/checklist.rs). */
export const PAGE = 100;
export const LONG_POLL_MS = 1_000;
export const SSE_MS = 2_000;

/** How long it may take until what was stored can be found, and how long a test waits that expects to find nothing. */
const SETTLED_MS = 250;
const PATIENCE_MS = 5_000;

/** Much less than the time for which a long-poll waits. */
export const AT_ONCE_MS = 500;

export const CLOSES = { "stream-closed": "true" };
export const NO_CACHE = { "cache-control": "no-cache" };
export const DEBUG = { "tailrace-debug": "1" };

const digits = (number) => String(number).padStart(16, "0");
/** The offset of a position in the first segment of a URL's first stream. */
export const at = (position) => `${digits(0)}_${digits(position)}`;

export const FIRST = "a".repeat(PAGE);
export const REST = "b".repeat(PAGE / 2);

/** A stream of one page and a half. Returns its path. */
export async function long(headers = {}) {
  const path = await create(undefined, headers);
  await append(path, FIRST);
  await append(path, REST);
  return path;
}

/** A read from this offset. */
export const get = (path, offset, headers = {}) => send("GET", `${path}?offset=${offset}`, { headers });
export const poll = (path, offset, { cursor, headers = {} } = {}) =>
  send("GET", `${path}?offset=${offset}&live=long-poll${cursor === undefined ? "" : `&cursor=${cursor}`}`, { headers });
export const listen = (path, offset, headers = {}) => send("GET", `${path}?offset=${offset}&live=sse`, { headers });

/** What an answer says of caches: status, `X-Cache`. */
export const told = (answer) => [answer.status, answer.headers["x-cache"]];
export const text = (answer) => answer.body.toString();
export const now = () => performance.now();

/** Asserts that what is asked is stored: the first answer is a MISS, and then comes a HIT with the same body. */
export async function stored(ask) {
  const miss = await ask();
  assert.deepEqual(told(miss), [200, "MISS"]);
  const hit = await eventually(ask);
  assert.equal(text(hit), text(miss));
  return { miss, hit };
}

/** Asks until the answer is a HIT. */
export async function eventually(ask) {
  for (const start = now(); ; await sleep(20)) {
    const answer = await ask();
    if (answer.headers["x-cache"] === "HIT") return answer;
    assert.ok(now() - start < PATIENCE_MS, `no HIT, but ${told(answer)}`);
  }
}

/** Asserts that what is asked is not stored: it is answered so twice, with time enough for it to be stored. */
export async function notStored(ask, expected) {
  const answers = [];
  for (let count = 0; count < 2; count += 1) {
    const answer = await ask();
    assert.deepEqual(told(answer), expected);
    answers.push(answer);
    await sleep(SETTLED_MS);
  }
  return answers;
}
