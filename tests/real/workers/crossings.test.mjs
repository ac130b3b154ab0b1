// How often each kind of request crosses the border between JavaScript and Rust, at the edge and in its object
// together. Each crossing costs time, so these tests fail if there is one more.
import assert from "node:assert/strict";
import test from "node:test";
import { append, create, fresh, send, sleep, watch } from "./client.mjs";

const digits = (number) => String(number).padStart(16, "0");
const at = (position) => `${digits(0)}_${digits(position)}`;
const TEXT = { "content-type": "text/plain" };

/** Whether a call is one of ours, and not of the bindings' own helpers or of GET /watch. */
const isOurs = (name) => !/^(__wbindgen|__externref|taskCount)/.test(name);

/** How often each name was called between two answers of GET /watch. */
function between(before, after) {
  const called = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]);
  return called.filter(([name, count]) => count > 0 && isOurs(name));
}

/** The crossings of one request: into Rust, and out of it. */
async function crossed(request) {
  const before = await watch();
  await request();
  // An answer is stored after it was given.
  await sleep(50);
  const after = await watch();
  const sum = (calls) => calls.reduce((total, [, count]) => total + count, 0);
  const [into, out] = [between(before.exports, after.exports), between(before.imports, after.imports)];
  return { into: sum(into), out: sum(out), names: [...into, ...out].map(([name, count]) => `${name} ${count}`) };
}

const NO_CACHE = { "cache-control": "no-cache" };
const POLL = "&live=long-poll";

/** Appends more than one page holds. */
async function fill(path) {
  for (const text of ["a", "b"]) await append(path, text.repeat(700_000));
}

/** A read from the start, with what it must say of caches. Returns its answer. */
async function told(path, cached, headers = {}, more = "") {
  const answer = await send("GET", `${path}?offset=-1${more}`, { headers });
  assert.equal(answer.headers["x-cache"], cached);
  return answer;
}

/** Each kind of request: how often it crosses into Rust and out of it. */
const KINDS = [
  ["a request that is answered at the edge", 1, 1, async () => () => send("GET", "/health")],
  ["a creation", 7, 18, async () => () => create()],
  ["an append", 4, 6, async (path) => () => append(path, "a")],
  ["an append without a declared length", 4, 7, async (path) => () => send("POST", path, { headers: TEXT, body: ["a", "b"] })],
  ["a read that no cache takes part in", 3, 5, async (path) => () => send("GET", `${path}?offset=now`)],
  ["a page at the tail", 4, 11, async (path) => () => send("GET", `${path}?offset=-1`)],
  ["a page at the tail for a client that wants no copy", 3, 7, async (path) => () => told(path, "BYPASS", NO_CACHE)],
  ["a page that is stored", 6, 14, async (path) => {
    await fill(path);
    return () => told(path, "MISS");
  }],
  ["a page that is stored for a client that wants no copy", 5, 11, async (path) => {
    await fill(path);
    return () => told(path, "BYPASS", NO_CACHE);
  }],
  ["a page that was stored", 2, 4, async (path) => {
    await fill(path);
    await told(path, "MISS");
    await sleep(50);
    return () => told(path, "HIT");
  }],
  ["a page that was stored, which the client has", 2, 4, async (path) => {
    await fill(path);
    const { etag } = (await told(path, "MISS")).headers;
    await sleep(50);
    return () => told(path, "HIT", { "if-none-match": etag });
  }],
  ["a HEAD", 3, 5, async (path) => () => send("HEAD", path)],
  ["a long-poll that finds something, which is stored", 6, 14, async (path) => () => told(path, "MISS", {}, POLL)],
  ["a long-poll whose answer was stored", 2, 5, async (path) => {
    await told(path, "MISS", {}, POLL);
    await sleep(50);
    return () => told(path, "HIT", {}, POLL);
  }],
  ["events of a closed stream out of R2", 11, 38, async (path) => {
    await append(path, "b", { "stream-closed": "true" });
    // Waits until the alarm has moved the segment to R2, which crosses the border too.
    await sleep(1_000);
    return () => send("GET", `${path}?offset=-1&live=sse`);
  }],
  ["a deletion", 5, 13, async (path) => () => send("DELETE", path)],
];

for (const [kind, into, out, prepare] of KINDS) {
  test(`${kind} crosses ${into} times into Rust and ${out} times out of it`, async () => {
    const path = await create(fresh());
    await append(path, "first");
    const found = await crossed(await prepare(path));
    assert.deepEqual([found.into, found.out], [into, out], found.names.join("\n"));
  });
}
