// How often each kind of request crosses the border between JavaScript and Rust, at the edge and in its object together.
// Each crossing costs; one more is seen here.
import assert from "node:assert/strict";
import test from "node:test";
import { append, create, fresh, send, watch } from "./client.mjs";

const digits = (number) => String(number).padStart(16, "0");
const at = (position) => `${digits(0)}_${digits(position)}`;
const TEXT = { "content-type": "text/plain" };

/** Calls of Rust's memory and tables by the bindings, not by us. */
const isHelper = (name) => /^(__wbindgen|__externref|memory)/.test(name);

/** What was called between two looks, by name. */
function between(before, after) {
  const called = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]);
  return called.filter(([name, count]) => count > 0 && !isHelper(name));
}

/** The crossings of one request: into Rust, and out of it. */
async function crossed(request) {
  const before = await watch();
  await request();
  const after = await watch();
  const sum = (calls) => calls.reduce((total, [, count]) => total + count, 0);
  const [into, out] = [between(before.exports, after.exports), between(before.imports, after.imports)];
  return { into: sum(into), out: sum(out), names: [...into, ...out].map(([name, count]) => `${name} ${count}`) };
}

/** Each kind of request: how often it crosses into Rust and out of it. */
const KINDS = [
  ["a request that is answered at the edge", 0, 0, async () => () => send("GET", "/health")],
  ["a creation", 0, 0, async () => () => create()],
  ["an append", 0, 0, async (path) => () => append(path, "a")],
  ["an append without a declared length", 0, 0, async (path) => () => send("POST", path, { headers: TEXT, body: ["a", "b"] })],
  ["a page", 0, 0, async (path) => () => send("GET", `${path}?offset=-1`)],
  ["a HEAD", 0, 0, async (path) => () => send("HEAD", path)],
  ["a long-poll that finds something", 0, 0, async (path) => () => send("GET", `${path}?offset=-1&live=long-poll`)],
  ["events of a closed stream", 0, 0, async (path) => {
    await append(path, "b", { "stream-closed": "true" });
    return () => send("GET", `${path}?offset=-1&live=sse`);
  }],
  ["a deletion", 0, 0, async (path) => () => send("DELETE", path)],
];

for (const [kind, into, out, prepare] of KINDS) {
  test(`${kind} crosses ${into} times into Rust and ${out} times out of it`, async () => {
    const path = await create(fresh());
    await append(path, "first");
    const found = await crossed(await prepare(path));
    assert.deepEqual([found.into, found.out], [into, out], found.names.join("\n"));
  });
}
