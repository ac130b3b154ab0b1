// What becomes of requests when Rust panics, when the wasm instance is lost, and when a binding throws. The server is
// one of a build with the feature `faults` (faults.mjs).
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import test from "node:test";
import { append, create, failed, fresh, holds, send, sleep, within } from "./client.mjs";
import { FAULTS, fault } from "./faults.mjs";

/** Much less than the time after which anything gives up waiting. */
const AT_ONCE_MS = 2_000;

test("full-in-binding: a 507 that says when to come again, nothing is written, and the next request works", async () => {
  const path = await create();
  await append(path, "a");
  for (let round = 0; round < 3; round += 1) {
    const answer = await within(AT_ONCE_MS, append(path, "lost", fault("full-in-binding")));
    assert.deepEqual(
      [answer.status, JSON.parse(answer.body).error.code, answer.headers["retry-after"]],
      [507, "storage_full", "60"],
    );
    assert.equal((await within(AT_ONCE_MS, append(path, "b"))).status, 204);
  }
  await holds(path, "abbb");
});

for (const [name, code] of FAULTS) {
  test(`${name}: a 500 at once, nothing is written, and the next request works`, async () => {
    const path = await create();
    await append(path, "a");
    for (let round = 0; round < 5; round += 1) {
      failed(await within(AT_ONCE_MS, append(path, "lost", fault(name))), code);
      assert.equal((await within(AT_ONCE_MS, append(path, "b"))).status, 204);
    }
    await holds(path, "abbbbb");
  });

  test(`${name}: other objects of the isolate go on`, async () => {
    const [path, ...others] = await Promise.all([create(), create(), create(), create()]);
    await Promise.all(others.map((other) => append(other, "a")));
    failed(await append(path, "lost", fault(name)), code);
    const answers = await within(AT_ONCE_MS, Promise.all(others.map((other) => append(other, "b"))));
    assert.deepEqual(answers.map((answer) => answer.status), [204, 204, 204]);
    await Promise.all(others.map((other) => holds(other, "ab")));
  });

  test(`${name}: each of many at once is answered`, async () => {
    const path = await create();
    const requests = Array.from({ length: 20 }, (_, index) =>
      index % 2 ? append(path, "lost", fault(name)) : append(path, "a"));
    const answers = await within(2 * AT_ONCE_MS, Promise.all(requests));
    answers.forEach((answer, index) => {
      if (index % 2) failed(answer, code);
      else assert.equal(answer.status, 204);
    });
    await holds(path, "a".repeat(10));
  });
}

test("an answer that has to wait comes when it is there", async () => {
  const path = await create();
  const waiting = append(path, "slow", fault("wait"));
  await sleep(100);
  assert.equal((await within(300, append(path, "quick "))).status, 204);
  assert.equal((await waiting).status, 204);
  await holds(path, "quick slow");
});

for (const name of ["panic-object", "lost-instance", "panic-edge"]) {
  test(`${name}: requests that wait, in any object, are answered at once`, async () => {
    const [path, other] = await Promise.all([create(), create()]);
    const waiting = [path, path, other].map((waits) => append(waits, "lost", fault("wait")));
    await sleep(150);
    failed(await append(path, "lost", fault(name)), "instance_lost");
    const answers = await within(250, Promise.all(waiting));
    for (const answer of answers) failed(answer, "instance_lost");
    // The timers of the lost instance go off meanwhile, and must do nothing.
    await sleep(600);
    await append(path, "a");
    await holds(path, "a");
    await append(other, "b");
    await holds(other, "b");
  });
}

test("a panic of a request that had waited ends all that wait, and the next request works", async () => {
  const [path, other] = await Promise.all([create(), create()]);
  const panics = append(path, "lost", fault("panic-later"));
  await sleep(200);
  const waits = append(other, "lost", fault("wait"));
  failed(await within(AT_ONCE_MS, panics), "instance_lost");
  failed(await within(AT_ONCE_MS, waits), "instance_lost");
  await append(path, "a");
  await append(other, "b");
  await holds(path, "a");
  await holds(other, "b");
});

test("an instance is not lost twice", async () => {
  const path = await create();
  const debug = { "tailrace-debug": "1" };
  const started = async () => (await append(path, "a", debug)).headers["tailrace-instance"];
  const first = await started();
  assert.match(first, /^[0-9a-f]{32}$/);
  assert.equal(await started(), first);
  const waits = append(path, "lost", fault("wait"));
  await sleep(100);
  failed(await append(path, "lost", fault("panic-object")), "instance_lost");
  failed(await waits, "instance_lost");
  const second = await started();
  assert.notEqual(second, first);
  await sleep(700);
  assert.equal(await started(), second);
});

test("a request that has lost too many instances is answered once its client has sent the body", async () => {
  const path = await create();
  const [half, size] = [Buffer.alloc(500), 1_000];
  const { port, hostname, host } = new URL(process.env.TAILRACE_WORKERD_URL);
  const socket = connect(Number(port), hostname);
  let answer = "";
  socket.on("data", (bytes) => (answer += bytes));
  socket.write(`POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: text/plain\r\ncontent-length: ${size}\r\n\r\n`);
  socket.write(half);
  await sleep(100);
  // More than LOSSES_ENDURED in core/src/protocol/limits.rs.
  for (let losses = 0; losses < 20; losses += 1) failed(await append(path, "lost", fault("panic-edge")), "instance_lost");
  await sleep(300);
  assert.equal(answer, "", "its client still writes");
  socket.end(half);
  await once(socket, "close");
  assert.match(answer, /^HTTP\/1.1 500 /);
  assert.match(answer, /"code":"instance_lost"/);
  await holds(path, "");
});

test("an alarm that panics is tried again, and the object serves meanwhile", async () => {
  const path = await create(fresh(), { "stream-ttl": "1" });
  await append(path, "a", fault("panic-alarm"));
  const debug = { headers: { "tailrace-debug": "1" } };
  const before = (await send("HEAD", path, debug)).headers["tailrace-instance"];
  // The alarm goes off within 3 s; the platform tries again after 2 s.
  await sleep(4_000);
  const after = await send("HEAD", path, debug);
  assert.equal(after.status, 404);
  assert.notEqual(after.headers["tailrace-instance"], before);
  await create(path);
  await append(path, "b");
  await holds(path, "b");
});

test("an alarm that the runtime rejects resets the object, and nothing of its turn stays", async () => {
  const path = fresh();
  const put = (headers) => send("PUT", path, { headers: { "content-type": "text/plain", ...headers }, body: "a" });
  for (let round = 0; round < 3; round += 1) {
    const answer = await within(AT_ONCE_MS, put({ "stream-ttl": "3600", ...fault("reject-alarm") }));
    assert.equal(answer.status, 503);
    assert.equal(JSON.parse(answer.body).error.code, "object_unavailable");
    assert.equal((await within(AT_ONCE_MS, send("HEAD", path))).status, 404);
  }
  assert.equal((await put({ "stream-ttl": "3600" })).status, 201);
  await append(path, "b");
  await holds(path, "ab");
});

test("a fault that nobody knows is a panic like any other", async () => {
  const path = await create();
  failed(await append(path, "lost", fault("no-such-fault")), "instance_lost");
  await append(path, "a");
  await holds(path, "a");
});
