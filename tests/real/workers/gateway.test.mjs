// The Worker by the policy `gateway`, and beside it one without a gateway, at TAILRACE_PLAIN_URL, whose answers have to be
// the same. No cache stands between the two entrypoints here: no local runtime has that one.
import assert from "node:assert/strict";
import { get } from "node:http";
import test from "node:test";
import { append, create, fresh, send, sleep, watch, within } from "./client.mjs";

const gateway = process.env.TAILRACE_WORKERD_URL;
const plain = process.env.TAILRACE_PLAIN_URL;
if (!plain) throw new Error("TAILRACE_PLAIN_URL is not set: it is the address of a server without a gateway");

/** As long as the server's long-polls wait, in ms. */
const LONG_POLL_MS = 2_000;

const digits = (number) => String(number).padStart(16, "0");
const at = (position) => `${digits(0)}_${digits(position)}`;
const TEXT = { "content-type": "text/plain" };

/** Does the same on both servers. Returns what came of it, the gateway's first. */
const both = (ask) => Promise.all([ask(gateway), ask(plain)]);

/** What the inner entrypoint was asked while `ask` was under way. */
async function innerOf(ask) {
  const { length } = (await watch()).inner;
  const answer = await ask();
  return [(await watch()).inner.slice(length), answer];
}

/** A stream of text on both servers: more than a page, or "first". Returns its path. */
async function createBoth(isLong, headers = {}) {
  const path = fresh();
  await both(async (base) => {
    assert.equal((await send("PUT", new URL(path, base), { headers: { ...TEXT, ...headers } })).status, 201);
    const texts = isLong ? ["a", "b"].map((text) => text.repeat(700_000)) : ["first"];
    for (const body of texts) {
      assert.equal((await send("POST", new URL(path, base), { headers: TEXT, body })).status, 204);
    }
  });
  return path;
}

/** What an answer says, without what differs from one stream, or moment, to another. */
function said({ status, headers, body }) {
  const fields = Object.entries(headers).filter(([name]) => name !== "date" && name !== "x-cache");
  const masked = fields.map(([name, value]) => {
    if (name === "etag") return [name, value.replace(/^"[^:]*/, '"incarnation')];
    return [name, name === "stream-cursor" ? "cursor" : value];
  });
  return { status, fields: masked.sort(), text: body.toString().replace(/^retry:\d+|"streamCursor":"\d+"/g, "") };
}

const POLL = "&live=long-poll";

/** Each kind of read: whether its stream is longer than a page, its query and fields, and what the inner one is asked. */
const KINDS = [
  ["a page in the middle", true, "?offset=-1", {}, "?offset=-1"],
  ["a page without an offset", false, "", {}, "?offset=-1"],
  ["a page in another spelling, with a token", true, `?token=secret&offset=${at(7)}`, {}, `?offset=${at(7)}`],
  ["a page at the tail", false, "?offset=-1", {}, "?offset=-1"],
  ["an empty page", false, `?offset=${at(5)}`, {}, `?offset=${at(5)}`],
  ["a page for any tag", false, "?offset=-1", { "if-none-match": "*" }, "?offset=-1"],
  ["a page for another tag", false, "?offset=-1", { "if-none-match": '"x"' }, "?offset=-1"],
  ["a long-poll that finds something", false, `?offset=-1${POLL}`, {}, `?offset=-1${POLL}`],
  ["a long-poll with a cursor", false, `?cursor=7${POLL}&offset=-1`, {}, `?offset=-1${POLL}&cursor=7`],
  ["a long-poll for any tag", false, `?offset=-1${POLL}`, { "if-none-match": "*" }, `?offset=-1${POLL}`],
  ["a long-poll that waits in vain", false, `?offset=${at(5)}${POLL}`, {}, `?offset=${at(5)}${POLL}`],
  ["a read beyond the tail", false, `?offset=${at(9)}`, {}, `?offset=${at(9)}`],
  ["a read of something malformed", false, "?offset=x", {}, null],
  ["a read from now", false, "?offset=now", {}, null],
  ["a long-poll from now", false, `?offset=now${POLL}`, {}, null],
  ["a read that wants no copy", false, "?offset=-1", { "cache-control": "no-cache" }, null],
];

for (const [kind, isLong, query, headers, expected] of KINDS) {
  test(`${kind} answers as without the gateway, and is ${expected === null ? "not " : ""}forwarded`, async () => {
    const path = await createBoth(isLong);
    const ask = () => both((base) => send("GET", new URL(path + query, base), { headers }));
    const [asked, [answer, without]] = await innerOf(ask);
    assert.deepEqual(said(answer), said(without));
    assert.deepEqual(asked, expected === null ? [] : [["GET", new URL(path + expected, gateway).href, []]]);
  });
}

test("events of a closed stream answer as without the gateway, and are not forwarded", async () => {
  const path = await createBoth(false);
  await both((base) => send("POST", new URL(path, base), { headers: { ...TEXT, "stream-closed": "true" } }));
  const [asked, [answer, without]] = await innerOf(() => both((base) => send("GET", new URL(`${path}?offset=-1&live=sse`, base))));
  assert.equal(answer.status, 200);
  assert.deepEqual(said(answer), said(without));
  assert.deepEqual(asked, []);
});

test("a missing stream and one that is deleted answer as without the gateway", async () => {
  const path = await createBoth(false);
  await both((base) => send("DELETE", new URL(path, base)));
  for (const target of [path, fresh()]) {
    const [answer, without] = await both((base) => send("GET", new URL(target, base)));
    assert.equal(answer.status, 404);
    assert.deepEqual(said(answer), said(without));
  }
});

test("the client's own tag is recognised, by the gateway", async () => {
  const path = await createBoth(true);
  const { etag } = (await send("GET", `${path}?offset=-1`)).headers;
  const headers = { "if-none-match": `"x", W/${etag}` };
  const answer = await send("GET", `${path}?offset=-1`, { headers });
  assert.deepEqual([answer.status, answer.headers.etag, answer.body.length], [304, etag, 0]);
  assert.equal(answer.headers["cache-control"], "public, max-age=60, stale-while-revalidate=300");
});

test("a read sees what was acknowledged before it", async () => {
  const path = await create();
  for (const text of ["a", "b", "c"]) {
    await append(path, text);
    assert.ok((await send("GET", `${path}?offset=-1`)).body.toString().endsWith(text));
  }
});

test("a long-poll waits through both entrypoints, and ends when something comes", async () => {
  const path = await create();
  const polls = [1, 2, 3].map(() => send("GET", `${path}?offset=-1${POLL}`));
  await sleep(500);
  await append(path, "a");
  for (const answer of await within(1_000, Promise.all(polls))) {
    assert.deepEqual([answer.status, answer.body.toString()], [200, "a"]);
  }
});

test("events come one by one, while their connection goes on", async () => {
  const path = await create();
  const texts = [];
  let came = () => {};
  const outgoing = get(new URL(`${path}?offset=-1&live=sse`, gateway), (incoming) => {
    incoming.on("data", (chunk) => (texts.push(chunk.toString()), came()));
    incoming.on("error", () => {});
  });
  outgoing.on("error", () => {});
  const until = async (text) => {
    while (!texts.join("").includes(text)) await new Promise((resolve) => (came = resolve));
  };
  await within(5_000, until("upToDate"));
  for (const text of ["one", "two"]) {
    await append(path, text);
    await within(5_000, until(`data:${text}`));
  }
  outgoing.destroy();
});

test("whatever else a client sends does not reach the inner entrypoint", async () => {
  const path = await create();
  const [asked] = await innerOf(async () => {
    await append(path, "a");
    for (const [method, target, headers] of [
      ["HEAD", path, {}],
      ["OPTIONS", path, {}],
      ["GET", "/CachedReads", {}],
      ["GET", `/CachedReads${path}`, {}],
      ["GET", path, { "tailrace-debug": "1" }],
      ["GET", path, { "cache-control": "no-store" }],
      ["GET", "/health", { host: "CachedReads" }],
      ["PUT", path, TEXT],
      ["DELETE", path, {}],
    ]) {
      assert.ok((await send(method, target, { headers })).status < 500, `${method} ${target}`);
    }
  });
  assert.deepEqual(asked, []);
});

test("the inner entrypoint answers nothing but what the gateway forwards", async () => {
  const path = await create();
  await append(path, "a");
  const ask = (method, query) => send(method, `/watch/inner${path}${query}`);
  const answer = await ask("GET", "?offset=-1");
  assert.deepEqual([answer.status, answer.body.toString()], [200, "a"]);
  for (const [method, query] of [
    ["GET", "?offset=now"],
    ["GET", "?offset=-1&live=sse"],
    ["HEAD", ""],
    ["DELETE", ""],
  ]) {
    assert.equal((await ask(method, query)).status, 404, `${method} ${query}`);
  }
  assert.equal((await send("GET", `${path}?offset=-1`)).status, 200, "it was not deleted");
  const without = await send("GET", new URL(`/watch/inner${path}?offset=-1`, plain));
  assert.equal(without.status, 404, "without a gateway it answers nothing at all");
});

test("nothing stays of readers that leave, at either entrypoint", async () => {
  const path = await create();
  const controllers = [1, 2, 3].map(() => {
    const outgoing = get(new URL(`${path}?offset=${at(0)}${POLL}`, gateway), () => {});
    outgoing.on("error", () => {});
    return outgoing;
  });
  await sleep(500);
  assert.ok((await watch()).tasks >= 4, "three gateways, and at least one flight");
  controllers.forEach((outgoing) => outgoing.destroy());
  await sleep(LONG_POLL_MS + 500);
  // A look at the next request sweeps what has become garbage; a few may be left until it has.
  for (let tries = 0; (await watch()).flights > 0 && tries < 20; tries += 1) await sleep(100);
  assert.equal((await watch()).flights, 0);
});
