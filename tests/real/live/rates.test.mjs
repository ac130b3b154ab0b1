// Limits of how often clients may do something, on the real runtime: whoever does it too often is told when to come again,
// and everybody else, and everything else, goes on.
import assert from "node:assert/strict";
import test from "node:test";
import { fresh, send } from "../workers/client.mjs";
import { minted } from "./minted.mjs";

const { TAILRACE_LIMITED_URL: origin, TAILRACE_KEYED_KEYS: keys } = process.env;
if (!origin || !keys) throw new Error("TAILRACE_LIMITED_URL and TAILRACE_KEYED_KEYS are not set: a server with limits");

/** How many of each the server lets a client do: `limits/limited.mjs`. */
const MOST = 3;

const bearer = (claims) => ({ authorization: `Bearer ${minted(keys, claims)}` });
const from = (address) => ({ "cf-connecting-ip": address });
const ask = (method, path, headers, body = null) =>
  send(method, `${origin}${path}`, { headers: { "content-type": "text/plain", ...headers }, body });
const code = (answer) => JSON.parse(answer.body).error.code;

function isTooOften(answer) {
  assert.equal(answer.status, 429);
  assert.equal(code(answer), "rate_limited");
  assert.equal(answer.headers["retry-after"], "60");
  assert.match(answer.headers["cache-control"], /no-store/);
}

/** The status of a connection with events, which is given up at once. */
async function listen(path, headers) {
  const controller = new AbortController();
  const response = await fetch(`${origin}${path}?offset=-1&live=sse`, { headers, signal: controller.signal });
  const text = response.status === 200 ? "" : await response.text();
  controller.abort();
  return [response.status, text];
}

test("who creates too many streams is told so, and may append and read all the same", async () => {
  const token = bearer({ jti: "creates" });
  const paths = Array.from({ length: MOST }, fresh);
  for (const path of paths) assert.equal((await ask("PUT", path, token)).status, 201);
  const refused = fresh();
  isTooOften(await ask("PUT", refused, token, "nothing of it"));
  assert.equal((await ask("GET", refused, bearer({ jti: "another" }))).status, 404, "nothing was applied");
  for (let number = 0; number < 2 * MOST; number++) {
    assert.equal((await ask("POST", paths[0], token, "x")).status, 204);
    assert.equal((await ask("GET", `${paths[0]}?offset=-1`, token)).status, 200);
    assert.equal((await ask("GET", `${paths[0]}?offset=-1&live=long-poll`, token)).status, 200);
  }
  // Another client has a limit of its own.
  assert.equal((await ask("PUT", fresh(), bearer({ jti: "another" }))).status, 201);
});

test("who opens too many connections with events is told so, and a browser that comes back is told when", async () => {
  const path = fresh();
  assert.equal((await ask("PUT", path, bearer({ jti: "owner" }))).status, 201);
  const token = bearer({ jti: "listens" });
  for (let number = 0; number < MOST; number++) assert.equal((await listen(path, token))[0], 200);
  const [status, text] = await listen(path, token);
  assert.deepEqual([status, JSON.parse(text).error.code], [429, "rate_limited"]);
  const last = { "last-event-id": "0000000000000000_0000000000000000" };
  const back = await send("GET", `${origin}${path}?offset=-1&live=sse`, { headers: { ...token, ...last } });
  assert.equal(back.status, 200);
  const [, retryMs] = /^retry:(\d+)\n\n$/.exec(back.body.toString()) ?? [];
  assert.ok(retryMs >= 60_000 && retryMs <= 90_000, back.body.toString());
});

test("who has no token that holds is told at last that it comes too often, and nobody else is", async () => {
  const forged = { authorization: `Bearer ${minted("first:AAAA")}` };
  const address = from("192.0.2.1");
  for (let number = 0; number < MOST; number++) {
    assert.equal((await ask("GET", fresh(), { ...address, ...forged })).status, 401);
  }
  isTooOften(await ask("GET", fresh(), { ...address, ...forged }));
  // One that shows nothing is the same client, if its object refuses it.
  isTooOften(await ask("GET", fresh(), address));
  isTooOften(await ask("PUT", fresh(), address));
  // Behind the same address are others, who have tokens.
  assert.equal((await ask("PUT", fresh(), { ...address, ...bearer({ jti: "neighbour" }) })).status, 201);
  assert.equal((await ask("GET", fresh(), { ...from("192.0.2.2"), ...forged })).status, 401);
});

test("all of a network of 64 bits is one client", async () => {
  const statuses = [];
  for (const host of ["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff:1:2:3", "2001:0db8:1:2:abcd::"]) statuses.push((await ask("PUT", fresh(), from(host))).status);
  assert.deepEqual(statuses, [401, 401, 401, 429]);
  assert.equal((await ask("PUT", fresh(), from("2001:db8:1:3::1"))).status, 401);
});

test("a limit that fails, or takes long, limits nobody, and neither is anybody limited whom nobody knows", async () => {
  for (let number = 0; number < 2 * MOST; number++) {
    const asked = performance.now();
    for (const headers of [from("192.0.2.99"), from("192.0.2.98"), {}]) {
      assert.equal((await ask("PUT", fresh(), headers)).status, 401);
    }
    assert.ok(performance.now() - asked < 1_500, "who waits for a limit does not wait long");
  }
});
