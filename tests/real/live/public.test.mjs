// A deployment with keys on the real runtime: streams that everybody may read, and those that are kept in front only at URLs
// with their reader key. The earlier system's leaks are tests here.
import assert from "node:assert/strict";
import test from "node:test";
import { fresh, send } from "../workers/client.mjs";
import { Events } from "./events.mjs";
import { minted } from "./minted.mjs";

const { TAILRACE_KEYED_URL: origin, TAILRACE_KEYED_KEYS: keys } = process.env;
if (!origin || !keys) throw new Error("TAILRACE_KEYED_URL and _KEYS are not set: a server with keys");

const TEXT = { "content-type": "text/plain" };
const KEPT = "public, max-age=60";
const NOBODY = "private, no-store";

const bearer = (claims = {}) => ({ authorization: `Bearer ${minted(keys, claims)}` });
const ask = (method, path, headers = {}, body = null) => send(method, `${origin}${path}`, { headers, body });
const code = (answer) => JSON.parse(answer.body).error.code;
const told = ({ status, headers }) => [status, headers["x-cache"], headers["cache-control"]];

/** A stream of a page and a tail after it. Returns its path and its reader key. */
async function stream(query = "", path = fresh()) {
  const created = await ask("PUT", `${path}${query}`, { ...TEXT, ...bearer() }, "a".repeat(1 << 20));
  assert.equal(created.status, 201);
  assert.equal((await ask("POST", path, { ...TEXT, ...bearer() }, "b")).status, 204);
  return [path, created.headers["stream-reader-key"]];
}

const rotate = (path, claims) =>
  ask("POST", `/v1/projects/_default/reader-keys/${path.slice("/v1/stream/".length)}`, bearer(claims));

test("everybody reads a public stream, from caches too, and nobody without a token writes to it", async () => {
  const [path, key] = await stream("?public=true");
  assert.equal(key, undefined);
  const page = `${path}?offset=-1`;
  const swr = `${KEPT}, stale-while-revalidate=300`;
  assert.deepEqual(told(await ask("GET", page)), [200, "MISS", swr]);
  assert.deepEqual(told(await ask("GET", page)), [200, "HIT", swr]);
  assert.deepEqual(told(await ask("GET", page, bearer())), [200, "HIT", swr]);
  const head = await ask("HEAD", path);
  assert.deepEqual([head.status, head.headers["stream-reader-key"]], [200, undefined]);
  const tail = head.headers["stream-next-offset"];
  const polls = ask("GET", `${path}?offset=${tail}&live=long-poll`);
  for (const method of ["PUT", "POST", "DELETE"]) {
    const refused = await ask(method, path, TEXT, "c");
    assert.deepEqual([refused.status, code(refused)], [401, "token_missing"]);
  }
  assert.equal((await ask("POST", path, { ...TEXT, ...bearer(), "stream-closed": "true" }, "d")).status, 204);
  assert.deepEqual([(await polls).status, (await polls).body.toString()], [200, "d"]);
  const events = new Events().take((await ask("GET", `${path}?offset=${tail}&live=sse`)).body);
  assert.deepEqual(events[0], { name: "data", data: "d" });
  // A token that is there is checked all the same.
  const forged = await ask("GET", page, { authorization: "Bearer forged" });
  assert.deepEqual([forged.status, code(forged), forged.headers["x-cache"]], [401, "token_invalid", undefined]);
  // It stays what it was created as.
  const again = await ask("PUT", path, { ...TEXT, ...bearer(), "stream-closed": "true" });
  assert.deepEqual([again.status, code(again)], [409, "configuration_conflict"]);
});

test("a private stream that a cache holds is copied to nobody without a token", async () => {
  const [path, key] = await stream();
  const page = `${path}?offset=-1`;
  for (const url of [page, `${page}&rk=${key}`]) {
    assert.equal((await ask("GET", url, bearer())).status, 200);
    assert.equal((await ask("GET", url, bearer())).headers["x-cache"], "HIT");
    const stranger = await ask("GET", url);
    assert.deepEqual([told(stranger), code(stranger)], [[401, undefined, "no-store"], "token_missing"]);
    const tagged = await ask("GET", url, { "if-none-match": "*" });
    assert.deepEqual(told(tagged), [401, undefined, "no-store"]);
  }
  // Nor by way of a stream of its own, for whoever may write elsewhere.
  const fork = { ...TEXT, ...bearer({ stream: "mine/*" }), "stream-forked-from": path };
  const copied = await ask("PUT", "/v1/stream/mine/copy?public=true", fork);
  assert.deepEqual([copied.status, code(copied)], [403, "stream_not_granted"]);
});

test("a token for one stream reads no other, however it is spelled", async () => {
  const [path] = await stream();
  const name = decodeURIComponent(path.slice("/v1/stream/".length));
  const own = bearer({ stream: name });
  assert.equal((await ask("GET", path, own)).status, 200);
  const [other] = await stream();
  for (const url of [other, `${path}x`, `${path}/x`, path.slice(0, -1), path.toUpperCase().replace("/V1/STREAM", "/v1/stream")]) {
    const refused = await ask("GET", url, own);
    assert.deepEqual([refused.status, code(refused)], [403, "stream_not_granted"], url);
  }
});

test("a stream that is created again is not read by whom only its public predecessor was for", async () => {
  const [path] = await stream("?public=true");
  const tail = (await ask("HEAD", path)).headers["stream-next-offset"];
  const events = ask("GET", `${path}?offset=${tail}&live=sse`);
  const poll = ask("GET", `${path}?offset=${tail}&live=long-poll`);
  // They are there before the stream is gone.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  assert.equal((await ask("DELETE", path, bearer())).status, 204);
  await stream("", path);
  for (const answer of await Promise.all([events, poll])) {
    assert.ok(!answer.body.includes("aaaa"), answer.body.subarray(0, 200).toString());
  }
  const now = await ask("GET", `${path}?offset=now`);
  assert.deepEqual([now.status, code(now)], [401, "token_missing"]);
});

test("caches in front may keep a private stream at URLs with its reader key, until there is another", async () => {
  const [path, key] = await stream();
  assert.match(key, /^[A-Za-z0-9_-]{22}$/);
  const page = `${path}?offset=-1`;
  const read = (query = "", headers = {}) => ask("GET", `${page}${query}`, { ...bearer(), ...headers });
  assert.deepEqual(told(await read()), [200, "MISS", NOBODY]);
  assert.deepEqual(told(await read(`&rk=${key}`)), [200, "HIT", KEPT]);
  assert.deepEqual(told(await read(`&rk=${key}x`)), [200, "HIT", NOBODY]);
  assert.deepEqual(told(await read("&rk=")), [200, "HIT", NOBODY]);
  assert.equal((await read(`&rk=${key}&rk=${key}`)).status, 400);
  assert.equal((await ask("HEAD", path, bearer())).headers["stream-reader-key"], key);
  for (const [claims, expected] of [
    [{ scope: "write" }, "scope_insufficient"],
    [{ scope: "manage", stream: "other" }, "stream_not_granted"],
  ]) {
    const refused = await rotate(path, claims);
    assert.deepEqual([refused.status, code(refused)], [403, expected]);
  }
  const rotated = await rotate(path, { scope: "manage" });
  assert.deepEqual([rotated.status, rotated.headers["cache-control"]], [200, "no-store"]);
  const next = JSON.parse(rotated.body).readerKey;
  assert.notEqual(next, key);
  assert.equal(rotated.headers["stream-reader-key"], next);
  // What the datacenter keeps was answered while the old key held. A fresh answer says so of the new one.
  assert.deepEqual(told(await read(`&rk=${next}`)), [200, "HIT", NOBODY]);
  assert.deepEqual(told(await read(`&rk=${key}`)), [200, "HIT", KEPT]);
  assert.deepEqual(told(await read(`&rk=${next}`, { "cache-control": "no-cache" })), [200, "BYPASS", KEPT]);
  assert.deepEqual(told(await read(`&rk=${next}`)), [200, "HIT", KEPT]);
  assert.deepEqual(told(await read(`&rk=${key}`)), [200, "HIT", NOBODY]);
});

test("what waits comes back when there is another reader key, and is told nothing of it", async () => {
  const [path, key] = await stream();
  const tail = (await ask("HEAD", path, bearer())).headers["stream-next-offset"];
  const poll = ask("GET", `${path}?offset=${tail}&live=long-poll&rk=${key}`, bearer());
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const next = (await rotate(path, { scope: "manage" })).headers["stream-reader-key"];
  await ask("POST", path, { ...TEXT, ...bearer() }, "c");
  const answer = await poll;
  assert.deepEqual([answer.status, answer.body.toString(), answer.headers["cache-control"]], [200, "c", NOBODY]);
  assert.ok(!Object.values(answer.headers).some((value) => value.includes(next)));
});
