// Scripts of a listed origin read all that an answer tells, and those of another one read nothing: pages of both, in a
// browser, ask a server with keys.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import test, { after, before } from "node:test";
import { fresh, send, sleep } from "../workers/client.mjs";
import { Browser } from "./browser.mjs";
import { minted } from "./minted.mjs";

const { TAILRACE_LISTING_URL: server, TAILRACE_LISTED_ORIGIN: listed, TAILRACE_KEYED_KEYS: keys } = process.env;
const { TAILRACE_WORKERD_URL: open, TAILRACE_CHROMIUM: program } = process.env;
if (!server || !listed || !keys || !program) throw new Error("TAILRACE_LISTING_URL, _LISTED_ORIGIN, ... are not set");

const LIMIT_MS = 15_000;
const TEXT = { "content-type": "text/plain" };
/** The largest body, of which an isolate holds four at a time. */
const LARGEST = 8 << 20;

const bearer = () => ({ authorization: `Bearer ${minted(keys)}` });
const ask = (method, path, headers = {}, body = null) => send(method, `${server}${path}`, { headers, body });

/** What a page does: it asks, and tells all that it may read of the answer. */
const READ = `async (url, options) => {
  try {
    const answer = await fetch(url, options);
    const { status, type, headers } = answer;
    return { status, type, headers: Object.fromEntries(headers), body: await answer.text() };
  } catch (error) {
    return { refused: error.name };
  }
}`;
const read = (page, url, options = {}) => page.value(`(${READ})(${JSON.stringify(url)}, ${JSON.stringify(options)})`);

let browser;
let listedPage;
let otherPage;
const servers = [];

/** A page of the origin of that port. */
async function serve(port) {
  const pages = createServer((_, response) => response.setHeader("content-type", "text/html").end("<title>A page</title>"));
  servers.push(pages);
  pages.listen(port, "127.0.0.1");
  await once(pages, "listening");
  const origin = `http://127.0.0.1:${pages.address().port}`;
  const page = await browser.open(`${origin}/`);
  await page.until("location.origin", (value) => value === origin, LIMIT_MS);
  return page;
}

before(async () => {
  browser = await Browser.start(program);
  [listedPage, otherPage] = [await serve(new URL(listed).port), await serve(0)];
});

after(async () => {
  await browser?.stop();
  for (const pages of servers) pages.close();
});

/** A stream of one page and a tail that comes after it. Returns its path. */
async function stream(headers = {}) {
  const path = fresh();
  assert.equal((await ask("PUT", path, { ...TEXT, ...bearer(), ...headers }, "a".repeat(1 << 20))).status, 201);
  assert.equal((await ask("POST", path, { ...TEXT, ...bearer() }, "b")).status, 204);
  return path;
}

test("a script of a listed origin writes, and reads every field that an answer tells", async () => {
  const seen = new Set();
  /** Asks as the page of the listed origin; expects that status and that these fields can be read. */
  const reads = async (method, path, headers, body, status, names) => {
    const answer = await read(listedPage, `${server}${path}`, { method, headers, body });
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer).slice(0, 300)}`);
    for (const name of [...names, "vary", "x-content-type-options", "cross-origin-resource-policy"]) {
      assert.ok(answer.headers[name], `${method} ${path}: ${name} of ${JSON.stringify(answer.headers)}`);
    }
    for (const name of Object.keys(answer.headers)) seen.add(name);
    return answer;
  };
  const path = fresh();
  const token = bearer();
  const written = { ...TEXT, ...token };
  const by = (seq) => ({ ...written, "producer-id": "p", "producer-epoch": "0", "producer-seq": `${seq}` });
  const created = await reads("PUT", path, { ...written, "stream-ttl": "60" }, "a", 201, ["location"]);
  assert.equal(new URL(created.headers.location).pathname, path);
  await reads("POST", path, written, "b", 204, ["stream-next-offset"]);
  await reads("POST", path, by(0), "c", 200, ["producer-epoch", "producer-seq"]);
  await reads("POST", path, by(2), "d", 409, ["producer-expected-seq", "producer-received-seq"]);
  await reads("HEAD", path, token, undefined, 200, ["stream-ttl", "stream-next-offset"]);
  const tail = await reads("GET", path, token, undefined, 200, ["etag", "stream-up-to-date", "content-security-policy"]);
  assert.equal(tail.body, "abc");
  const unchanged = { ...token, "if-none-match": tail.headers.etag };
  await reads("GET", path, unchanged, undefined, 304, ["etag", "stream-next-offset"]);
  await reads("GET", `${path}?offset=-1&live=long-poll`, token, undefined, 200, ["stream-cursor", "x-cache"]);
  await reads("POST", path, { ...written, "stream-closed": "true" }, undefined, 204, ["stream-closed"]);
  await reads("DELETE", path, token, undefined, 204, []);
  await reads("GET", path, token, undefined, 404, []);

  const expires = { "stream-expires-at": new Date(Date.now() + 3_600_000).toISOString() };
  const kept = await stream(expires);
  await reads("HEAD", kept, token, undefined, 200, ["stream-expires-at"]);
  // The cache has it since somebody of no origin has asked.
  assert.equal((await ask("GET", `${kept}?offset=-1`, token)).headers["x-cache"], "MISS");
  const hit = await reads("GET", `${kept}?offset=-1`, token, undefined, 200, ["age", "etag"]);
  assert.equal(hit.headers["x-cache"], "HIT");
  assert.equal(hit.headers["cache-control"], "private, no-store");

  const binary = fresh();
  const closed = { ...token, "content-type": "application/octet-stream", "stream-closed": "true" };
  await reads("PUT", binary, closed, "\u0001", 201, []);
  const events = `${binary}?offset=-1&live=sse`;
  await reads("GET", events, token, undefined, 200, ["stream-sse-data-encoding", "x-accel-buffering"]);

  await reads("GET", kept, {}, undefined, 401, ["www-authenticate"]);
  await reads("POST", "/health", TEXT, "x", 405, ["allow"]);
  await reads("GET", "/nowhere", {}, undefined, 404, []);

  // Four clients hold all that an isolate holds of bodies.
  const holders = Array.from({ length: 4 }, () => {
    const headers = { ...written, "content-length": LARGEST };
    const holder = request(new URL(kept, server), { method: "POST", headers });
    holder.on("error", () => {});
    holder.write("x");
    return holder;
  });
  await sleep(500);
  await reads("POST", kept, written, "x", 503, ["retry-after"]);
  for (const holder of holders) holder.destroy();

  // What tells about instances is told where no token is needed, and there every origin is let in.
  for (const [method, name] of [["GET", "tailrace-instance"], ["HEAD", "tailrace-cold"]]) {
    const debugged = fresh();
    assert.equal((await send("PUT", `${open}${debugged}`, { headers: TEXT, body: "a" })).status, 201);
    const answer = await read(otherPage, `${open}${debugged}`, { method, headers: { "tailrace-debug": "1" } });
    assert.ok(answer.headers?.[name], JSON.stringify(answer));
    for (const each of Object.keys(answer.headers)) seen.add(each);
  }
  const { headers } = await ask("GET", "/health", { origin: listed });
  const exposed = headers["access-control-expose-headers"].toLowerCase().split(", ");
  // It is handed out with streams that have one.
  const missing = exposed.filter((name) => !seen.has(name) && name !== "stream-reader-key");
  assert.deepEqual(missing, [], "it is said to be readable, and no answer had it");
});

test("a script of an origin that is not listed reads nothing, and writes nothing", async () => {
  const path = await stream();
  const token = bearer();
  const missing = fresh();
  for (const [method, target, headers, body] of [
    ["GET", path, {}],
    ["GET", path, token],
    ["GET", `${path}?offset=-1&token=${minted(keys)}`, {}],
    ["GET", `${path}?offset=now&token=${minted(keys)}`, {}],
    ["GET", `${path}?offset=-1&live=long-poll&token=${minted(keys)}`, {}],
    ["GET", `${path}?offset=-1&live=sse&token=${minted(keys)}`, {}],
    ["HEAD", path, token],
    ["PUT", missing, { ...TEXT, ...token }, "a"],
    ["POST", path, { ...TEXT, ...token }, "c"],
    ["DELETE", path, token],
    ["GET", fresh(), {}],
    ["GET", "/health", {}],
    ["GET", "/nowhere", {}],
  ]) {
    const answer = await read(otherPage, `${server}${target}`, { method, headers, body });
    assert.deepEqual(answer, { refused: "TypeError" }, `${method} ${target}`);
  }
  const opaque = await read(otherPage, `${server}/health`, { mode: "no-cors" });
  assert.deepEqual(opaque, { status: 0, type: "opaque", headers: {}, body: "" });
  assert.equal((await ask("GET", missing, token)).status, 404);
  assert.equal((await ask("GET", `${path}?offset=-1`, token)).status, 200);
});

test("a bare EventSource with a token in its URL hears a listed stream, and on another origin nothing", async () => {
  const path = await stream();
  const url = `${server}${path}?offset=-1&live=sse&token=${minted(keys)}`;
  const hears = (page) => page.value(`new Promise((resolve) => {
    const source = new EventSource(${JSON.stringify(url)});
    source.addEventListener("control", () => { source.close(); resolve("heard"); });
    source.addEventListener("error", () => { source.close(); resolve("refused"); });
  })`);
  assert.deepEqual([await hears(listedPage), await hears(otherPage)], ["heard", "refused"]);
});

test("a bare EventSource hears what comes until its token ends, and then it is over", async () => {
  const path = await stream();
  const url = `${server}${path}?offset=now&live=sse&token=${minted(keys, { scope: "read" }, 5)}`;
  await listedPage.value(`(() => {
    globalThis.heard = [];
    globalThis.source = new EventSource(${JSON.stringify(url)});
    source.addEventListener("data", (event) => heard.push(event.data));
    source.addEventListener("control", () => heard.push("control"));
    source.addEventListener("error", () => heard.push(source.readyState === EventSource.CLOSED ? "closed" : "cut"));
  })()`);
  const heard = () => listedPage.value("heard");
  const until = (has) => listedPage.until("heard", (all) => all.includes(has), LIMIT_MS);
  const append = async (body) => assert.equal((await ask("POST", path, { ...TEXT, ...bearer() }, body)).status, 204);
  await until("control");
  await append("in time");
  await until("in time");
  // The connection ends, the browser comes back by itself, and is refused.
  await until("closed");
  await append("too late");
  await sleep(2_000);
  const all = await heard();
  assert.ok(!all.includes("too late"), JSON.stringify(all));
  assert.deepEqual(all.slice(-2), ["cut", "closed"]);
});

test("what one origin is answered the cache hands to no other", async () => {
  const path = `${await stream()}?offset=-1`;
  for (const [origin, cached] of [
    [listed, "MISS"],
    ["https://unlisted.test", "HIT"],
    [undefined, "HIT"],
    [listed, "HIT"],
    [`${listed}0`, "HIT"],
    [listed.replace("127.0.0.1", "localhost"), "HIT"],
    ["null", "HIT"],
    [[listed, listed], "HIT"],
    [`${listed}, ${listed}`, "HIT"],
    ["https://other.test", "HIT"],
  ]) {
    const answer = await ask("GET", path, { ...bearer(), ...(origin === undefined ? {} : { origin }) });
    const { "x-cache": is, vary, "access-control-allow-origin": allowed } = answer.headers;
    const expected = origin === listed || origin === "https://other.test" ? origin : undefined;
    assert.deepEqual([answer.status, is, vary, allowed], [200, cached, "Origin", expected], `${origin}`);
  }
});

test("a preflight needs no token", async () => {
  for (const [origin, allowed] of [[listed, listed], ["https://unlisted.test", undefined]]) {
    const asks = { "access-control-request-method": "PUT", "access-control-request-headers": "authorization" };
    const answer = await ask("OPTIONS", fresh(), { origin, ...asks });
    assert.equal(answer.status, 204);
    assert.match(answer.headers["access-control-allow-headers"], /\bAuthorization\b/);
    assert.match(answer.headers["access-control-allow-methods"], /\bPUT\b/);
    assert.deepEqual([answer.headers.vary, answer.headers["access-control-allow-origin"]], ["Origin", allowed]);
  }
});
