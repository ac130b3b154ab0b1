// What the tests of the Worker share: a keep-alive client of the server at TAILRACE_WORKERD_URL.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";

const base = process.env.TAILRACE_WORKERD_URL;
if (!base) throw new Error("TAILRACE_WORKERD_URL is not set: it is the address of a server to test");

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for a promise, and fails if it takes longer than the limit. */
export async function within(limitMs, promise) {
  const start = performance.now();
  const value = await promise;
  const tookMs = performance.now() - start;
  assert.ok(tookMs < limitMs, `it took ${tookMs.toFixed()} ms`);
  return value;
}

/** An agent with one connection, which is used again and again. If it is broken, the next request fails. */
export const connection = () => new Agent({ keepAlive: true, maxSockets: 1 });

const shared = new Agent({ keepAlive: true });

/** What the server's isolate remembers, and what crossed the border to Rust so far. */
export async function watch() {
  const answer = await send("GET", "/watch");
  assert.equal(answer.status, 200);
  return JSON.parse(answer.body);
}

/** The path of a stream that no other test uses. */
export const fresh = () => `/v1/stream/test/${randomUUID()}`;

/**
 * Sends a request and reads the whole answer. A body that is an array goes out in chunks, without a Content-Length.
 * Fails if the connection breaks, or if it is silent for as long as the limit.
 */
export function send(method, path, { headers = {}, body = null, agent = shared, limitMs = 20_000 } = {}) {
  return new Promise((resolve, reject) => {
    const chunked = Array.isArray(body);
    // This field is set because Node would else send no framing for the body of a GET or a DELETE.
    const framing = chunked ? { "transfer-encoding": "chunked" } : { "content-length": Buffer.byteLength(body ?? "") };
    const options = { method, agent, headers: { ...(body === null ? {} : framing), ...headers }, timeout: limitMs };
    const outgoing = request(new URL(path, base), options, (incoming) => {
      const chunks = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => {
        resolve({ status: incoming.statusCode, headers: incoming.headers, body: Buffer.concat(chunks) });
      });
    });
    outgoing.on("error", reject);
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer: ${method} ${path}`)));
    if (chunked) for (const chunk of body) outgoing.write(chunk);
    outgoing.end(chunked ? undefined : body);
  });
}

const TEXT = { "content-type": "text/plain" };

/** Creates a stream of text. Returns its path. */
export async function create(path = fresh(), headers = {}) {
  const { status } = await send("PUT", path, { headers: { ...TEXT, ...headers } });
  assert.equal(status, 201);
  return path;
}

/** Appends text; `headers` may name a fault. */
export const append = (path, text, headers = {}) =>
  send("POST", path, { headers: { ...TEXT, ...headers }, body: text });

/** Asserts that a stream of text holds exactly this. */
export async function holds(path, text) {
  const answer = await send("GET", `${path}?offset=-1`);
  assert.deepEqual([answer.status, answer.body.toString()], [200, text]);
}

/** Asserts that an answer is our own 500 with that code: JSON for programs, without internals. */
export function failed(answer, code) {
  assert.equal(answer.status, 500);
  assert.equal(answer.headers["content-type"], "application/json");
  assert.equal(answer.headers["cache-control"], "no-store");
  assert.equal(answer.headers["x-content-type-options"], "nosniff");
  assert.equal(answer.headers["access-control-allow-origin"], "*");
  const { error, ...others } = JSON.parse(answer.body);
  assert.deepEqual(Object.keys(others), []);
  assert.deepEqual(Object.keys(error).sort(), ["code", "message"]);
  assert.equal(error.code, code);
  assert.match(error.message, /^[a-z ;]+$/);
}
