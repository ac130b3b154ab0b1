// Bodies at the limit of their size, and far beyond it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import test from "node:test";
import { append, connection, create, fresh, holds, send } from "./client.mjs";

/** `BODY_LIMIT` of core. */
const LIMIT = 8 << 20;
const ROUNDS = 50;
const TEXT = { "content-type": "text/plain" };

/** The bytes in chunks of a length that divides no buffer's size. */
function chunks(bytes) {
  const list = [];
  for (let at = 0; at < bytes.length; at += 50_001) list.push(bytes.subarray(at, at + 50_001));
  return list;
}

const SHAPES = [["of a declared length", (bytes) => bytes], ["in chunks", chunks]];

for (const [shape, shaped] of SHAPES) {
  test(`a body of 8 MiB ${shape} is accepted and read back exactly`, async () => {
    const body = Buffer.alloc(LIMIT);
    for (let at = 0; at < LIMIT; at += 4) body.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
    const path = fresh();
    const headers = { "content-type": "application/octet-stream" };
    assert.equal((await send("PUT", path, { headers })).status, 201);
    assert.equal((await send("POST", path, { headers, body: shaped(body) })).status, 204);
    const pages = [];
    for (let offset = "-1", done = false; !done; ) {
      const page = await send("GET", `${path}?offset=${offset}`);
      assert.equal(page.status, 200);
      pages.push(page.body);
      offset = page.headers["stream-next-offset"];
      done = page.headers["stream-up-to-date"] === "true";
    }
    assert.ok(pages.length > 1);
    assert.ok(Buffer.concat(pages).equals(body));
  });

  test(`a body of 8 MiB and 1 byte ${shape} is refused ${ROUNDS} times on one connection that never breaks`, async () => {
    const path = await create();
    const agent = connection();
    const body = shaped(Buffer.alloc(LIMIT + 1, 0x61));
    for (let round = 0; round < ROUNDS; round += 1) {
      const answer = await send("POST", path, { headers: TEXT, body, agent });
      assert.equal(answer.status, 413);
      assert.equal(JSON.parse(answer.body).error.code, "body_too_large");
    }
    assert.equal((await send("POST", path, { headers: TEXT, body: "a", agent })).status, 204);
    agent.destroy();
    await holds(path, "a");
  });

  test(`a body that nobody wants ${shape} is read before the answer`, async () => {
    const agent = connection();
    const body = shaped(Buffer.alloc(LIMIT + 1, 0x61));
    const path = await create();
    for (const [method, target, status] of [
      ["POST", "/nowhere", 404],
      ["POST", "/health", 405],
      ["DELETE", fresh(), 404],
      ["POST", fresh(), 404],
      ["GET", `${path}?offset=no-offset`, 400],
    ]) {
      const answer = await send(method, target, { headers: TEXT, body, agent });
      assert.equal(answer.status, status, `${method} ${target}`);
    }
    agent.destroy();
  });
}

/** What the server answers to these bytes on a connection of their own. */
async function answerTo(bytes) {
  const { port, hostname } = new URL(process.env.TAILRACE_WORKERD_URL);
  const socket = connect(Number(port), hostname);
  socket.setTimeout(10_000, () => socket.destroy(new Error("no answer")));
  let answer = "";
  socket.on("data", (piece) => (answer += piece.toString("latin1")));
  socket.write(bytes);
  await once(socket, "close");
  return answer;
}

const CHUNKED = "transfer-encoding: chunked\r\nconnection: close\r\n\r\n";

for (const [what, body] of [
  ["has no length", "zz\r\nhello\r\n0\r\n\r\n"],
  ["is followed by one without a length", "5\r\nhello\r\nxx\r\nhello\r\n0\r\n\r\n"],
  ["is longer than it says", "5\r\nhello world\r\n0\r\n\r\n"],
]) {
  test(`a body of which a chunk ${what} is refused, and nothing of it is kept`, async () => {
    const path = await create();
    const head = `HTTP/1.1\r\nhost: test\r\ncontent-type: text/plain\r\n${CHUNKED}`;
    for (const [method, target] of [["POST", path], ["PUT", fresh()]]) {
      const answer = await answerTo(`${method} ${target} ${head}${body}`);
      assert.match(answer, /^HTTP\/1.1 400 /);
      assert.match(answer, /"code":"invalid_body"/);
    }
    await append(path, "a");
    await holds(path, "a");
  });
}

test("a host that no header field can hold makes a location without a host", async () => {
  const ends = ["/a b", "/ä", "/\u{1f30a}%"];
  for (const host of ["ü.test", "a\u0001b", "a b"]) {
    for (const end of ends) {
      const path = `${fresh()}${encodeURIComponent(end).replaceAll("%2F", "/")}`;
      const answer = await answerTo(`PUT ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1.1 201 /);
      assert.equal(/^location: (.*)\r$/im.exec(answer)?.[1], path);
      assert.equal((await send("HEAD", path)).status, 200);
    }
  }
});

test("one JSON message of 5 MiB is accepted and read back exactly", async () => {
  const message = JSON.stringify({ text: "ä€𝄞x".repeat((5 << 20) / 10), list: [1.50, -0, null] });
  assert.ok(Buffer.byteLength(message) > 5 << 20);
  const path = fresh();
  const headers = { "content-type": "application/json" };
  assert.equal((await send("PUT", path, { headers })).status, 201);
  assert.equal((await send("POST", path, { headers, body: message })).status, 204);
  const page = await send("GET", `${path}?offset=-1`);
  assert.equal(page.status, 200);
  assert.equal(page.headers["stream-up-to-date"], "true");
  assert.ok(page.body.equals(Buffer.from(`[${message}]`)));
});

test("a client that breaks off leaves nothing", async () => {
  const path = await create();
  await append(path, "a");
  const aborted = new AbortController();
  const base = process.env.TAILRACE_WORKERD_URL;
  async function* half() {
    yield new Uint8Array(100_000);
    await new Promise((resolve) => setTimeout(resolve, 200));
    aborted.abort();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const body = ReadableStream.from(half());
  const request = fetch(`${base}${path}`, { method: "POST", headers: TEXT, body, duplex: "half", signal: aborted.signal });
  await assert.rejects(request, { name: "AbortError" });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await holds(path, "a");
});

test("an answer that waits for its request's body is not mistaken for another's", async () => {
  const path = await create();
  const body = chunks(Buffer.alloc(1 << 20, 0x61));
  const rounds = Array.from({ length: 10 }, () => [
    send("POST", "/health", { headers: TEXT, body }).then(({ status }) => [405, status]),
    append(path, "a").then(({ status }) => [204, status]),
    send("POST", "/nowhere", { headers: TEXT, body }).then(({ status }) => [404, status]),
    send("GET", path).then(({ status }) => [200, status]),
  ]);
  for (const [expected, found] of await Promise.all(rounds.flat())) assert.equal(found, expected);
});
