// A deployment with keys on the real runtime: who has no token reads nothing, from no cache either, and whoever has one
// reads until it ends.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { fresh, send, sleep } from "../workers/client.mjs";
import { Events } from "./events.mjs";
import { minted } from "./minted.mjs";

const { TAILRACE_KEYED_URL: origin, TAILRACE_KEYED_KEYS: keys, TAILRACE_KEYED_LOG: log } = process.env;
if (!origin || !keys || !log) throw new Error("TAILRACE_KEYED_URL, _KEYS and _LOG are not set: a server with keys");

const TEXT = { "content-type": "text/plain" };
/** The signatures of all tokens that this file has made. */
const signatures = [];

/** A token of the first key that lasts for so many seconds; `claims` replace its own. */
function mint(claims = {}, lastsS = 60) {
  const token = minted(keys, claims, lastsS);
  signatures.push(token.split(".").at(-1));
  return token;
}

const bearer = (token) => ({ authorization: `Bearer ${token}` });
const ask = (method, path, headers = {}, body = null) => send(method, `${origin}${path}`, { headers, body });
const code = (answer) => JSON.parse(answer.body).error.code;

/** A stream of two pages' worth of text. Returns its path. */
async function stream(token) {
  const path = fresh();
  assert.equal((await ask("PUT", path, { ...TEXT, ...bearer(token) }, "a".repeat(1 << 20))).status, 201);
  assert.equal((await ask("POST", path, { ...TEXT, ...bearer(token) }, "b".repeat(1 << 20))).status, 204);
  return path;
}

test("a stream that is there and one that is not are the same to who has no token", async () => {
  const path = await stream(mint());
  for (const query of ["", "?offset=-1", "?offset=-1&live=long-poll", "?offset=-1&live=sse"]) {
    const [there, missing] = [await ask("GET", path + query), await ask("GET", fresh() + query)];
    assert.equal(there.status, 401);
    assert.deepEqual([missing.status, missing.body], [there.status, there.body]);
    assert.equal(code(there), "token_missing");
    assert.match(there.headers["www-authenticate"], /^Bearer/);
    assert.equal(there.headers["x-cache"], undefined);
  }
});

test("a token grants what it says, and no more", async () => {
  const path = await stream(mint());
  const name = decodeURIComponent(path.slice("/v1/stream/".length));
  const body = "c";
  for (const [claims, lastsS, method, status, expected] of [
    [{ scope: "read" }, 60, "GET", 200, null],
    [{ scope: "read" }, 60, "POST", 403, "scope_insufficient"],
    [{ scope: "write", stream: name }, 60, "POST", 204, null],
    [{ scope: "write", stream: "test/*" }, 60, "POST", 204, null],
    [{ scope: "write", stream: "test" }, 60, "POST", 403, "stream_not_granted"],
    [{ sub: "other" }, 60, "GET", 403, "project_not_granted"],
    [{ scope: "read" }, -1, "GET", 401, "token_expired"],
    [{ scope: "read", nbf: Math.floor(Date.now() / 1_000) + 60 }, 60, "GET", 401, "token_invalid"],
    [{ exp: "tomorrow" }, 60, "GET", 401, "token_invalid"],
  ]) {
    const headers = { ...TEXT, ...bearer(mint(claims, lastsS)) };
    const answer = await ask(method, path, headers, method === "POST" ? body : null);
    assert.equal(answer.status, status, JSON.stringify(claims));
    if (expected) assert.equal(code(answer), expected);
  }
  const [text, signature] = mint().split(/\.(?=[^.]*$)/);
  const forged = `${text}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
  assert.equal(code(await ask("GET", path, bearer(forged))), "token_invalid");
});

test("a page that the cache has is for those alone who have a token, and for no cache in front", async () => {
  const token = mint({ scope: "read" });
  const path = `${await stream(mint())}?offset=-1`;
  const [miss, hit] = [await ask("GET", path, bearer(token)), await ask("GET", path, bearer(mint({ scope: "read" })))];
  assert.deepEqual([miss.status, miss.headers["x-cache"]], [200, "MISS"]);
  assert.deepEqual([hit.status, hit.headers["x-cache"]], [200, "HIT"]);
  for (const answer of [miss, hit]) {
    assert.equal(answer.headers["cache-control"], "private, no-store");
  }
  const stranger = await ask("GET", path);
  assert.deepEqual([stranger.status, stranger.headers["x-cache"]], [401, undefined]);
  const inUrl = await ask("GET", `${path}&token=${token}`);
  assert.deepEqual([inUrl.status, inUrl.headers["cache-control"]], [200, "private, no-store"]);
  const twice = await ask("GET", `${path}&token=${token}`, bearer(token));
  assert.deepEqual([twice.status, code(twice)], [400, "token_ambiguous"]);
});

test("live reads end with their token", async () => {
  const path = await stream(mint());
  const tail = (await ask("HEAD", path, bearer(mint()))).headers["stream-next-offset"];
  const begin = Date.now();
  const ends = () => `token=${mint({ scope: "read" }, 4)}`;
  const polls = ask("GET", `${path}?offset=${tail}&live=long-poll&${ends()}`);
  const listens = ask("GET", `${path}?offset=${tail}&live=sse&${ends()}`);
  const lasting = ask("GET", `${path}?offset=${tail}&live=long-poll`, bearer(mint()));
  const [poll, events] = await Promise.all([polls, listens]);
  const tookMs = Date.now() - begin;
  assert.equal(poll.status, 204);
  assert.equal(events.status, 200);
  assert.equal(new Events().take(events.body).at(-1).name, "control");
  // A token lasts for whole seconds of the clock.
  assert.ok(tookMs > 2_500 && tookMs < 6_000, `${tookMs} ms`);
  await ask("POST", path, { ...TEXT, ...bearer(mint()) }, "late");
  // It may have shared the wait of the one whose token has ended: then it is told so, and asks again.
  let late = await lasting;
  if (late.status === 204) late = await ask("GET", `${path}?offset=${tail}&live=long-poll`, bearer(mint()));
  assert.deepEqual([late.status, late.body.toString()], [200, "late"]);
});

test("no log has a token's signature", async () => {
  // The others have made theirs by then.
  await sleep(10_000);
  const text = await readFile(log, "utf8");
  assert.ok(signatures.length > 10);
  for (const signature of signatures) assert.ok(!text.includes(signature));
});
