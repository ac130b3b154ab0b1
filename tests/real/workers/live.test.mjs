// What becomes of readers that wait when Rust panics, when the wasm instance is lost, and when a binding throws. The
// server is one of a build with the feature `faults` (faults.mjs).
import assert from "node:assert/strict";
import test from "node:test";
import { append, create, failed, holds, send, sleep, within } from "./client.mjs";
import { FAULTS, fault } from "./faults.mjs";

/** Much less than the time after which anything gives up waiting. */
const AT_ONCE_MS = 2_000;
/** The time after which requests that were sent are taken to wait. */
const SETTLED_MS = 300;

const digits = (number) => String(number).padStart(16, "0");
const read = (path, position, live, headers = {}) =>
  send("GET", `${path}?offset=${digits(0)}_${digits(position)}&live=${live}`, { headers });
const listen = (path, position, headers) => read(path, position, "sse", headers);
const poll = (path, position, headers) => read(path, position, "long-poll", headers);

const offset = (position) => `${digits(0)}_${digits(position)}`;
const UP_TO_DATE = '"upToDate":true';
const CLOSED = `${UP_TO_DATE},"streamClosed":true`;

/** Asserts that a connection with events has ended without an error, and its events, without what is up to chance. */
function events(answer, expected) {
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["content-type"], "text/event-stream");
  const text = answer.body.toString().replaceAll(/"streamCursor":"\d+",/g, "");
  assert.match(text, /^retry:\d+\n\n/);
  assert.equal(text.slice(text.indexOf("\n\n") + 2), expected);
}

const fields = (position, more) => `event: control\ndata:{"streamNextOffset":"${offset(position)}",${more}}\n`;
/** A control event without data. */
const control = (position, more = UP_TO_DATE) => `${fields(position, more)}id:${offset(position)}\n\n`;
/** A data event, and its control event. */
const data = (text, position, more = UP_TO_DATE) =>
  `event: data\ndata:${text}\nid:${offset(position)}\n\n${fields(position, more)}\n`;

for (const name of ["panic-object", "lost-instance", "panic-edge"]) {
  test(`${name}: readers that wait, of any stream, are let go and miss nothing when they come back`, async () => {
    const [path, other] = await Promise.all([create(), create()]);
    const listening = [path, path, other].map((waits) => listen(waits, 0));
    const polling = [poll(path, 0), poll(other, 0)];
    await sleep(SETTLED_MS);
    failed(await append(path, "lost", fault(name)), "instance_lost");
    for (const answer of await within(AT_ONCE_MS, Promise.all(listening))) events(answer, control(0));
    for (const answer of await within(AT_ONCE_MS, Promise.all(polling))) failed(answer, "instance_lost");

    const again = [poll(path, 0), listen(path, 0)];
    await sleep(SETTLED_MS);
    assert.equal((await append(path, "a")).status, 204);
    const polled = await within(AT_ONCE_MS, again[0]);
    assert.deepEqual([polled.status, polled.body.toString()], [200, "a"]);
    await append(path, "b", { "stream-closed": "true" });
    events(await within(AT_ONCE_MS, again[1]), `${control(0)}${data("a", 1)}${data("b", 2, CLOSED)}`);
  });

  test(`${name}: a poll that shares the flight which ends so begins another`, async () => {
    const path = await create();
    const first = poll(path, 0);
    await sleep(SETTLED_MS);
    const joined = [poll(path, 0), poll(path, 0)];
    await sleep(SETTLED_MS);
    failed(await append(path, "lost", fault(name)), "instance_lost");
    failed(await within(AT_ONCE_MS, first), "instance_lost");
    await sleep(SETTLED_MS);
    assert.equal((await append(path, "a")).status, 204);
    for (const answer of await within(AT_ONCE_MS, Promise.all(joined))) {
      assert.deepEqual([answer.status, answer.body.toString()], [200, "a"]);
    }
    await holds(path, "a");
  });
}

test("a browser that comes back and meets a failure of the object is told to come again, and then goes on", async () => {
  const path = await create();
  await append(path, "a");
  const resumes = { "last-event-id": offset(1) };
  events(await within(AT_ONCE_MS, listen(path, 0, { ...resumes, ...fault("panic-object") })), "");
  const waiting = listen(path, 0, resumes);
  await sleep(SETTLED_MS);
  await append(path, "b", { "stream-closed": "true" });
  events(await within(AT_ONCE_MS, waiting), `${control(1)}${data("b", 2, CLOSED)}`);
  const last = await listen(path, 0, { "last-event-id": offset(2) });
  assert.deepEqual([last.status, last.headers["stream-closed"], last.body.length], [204, "true", 0]);
});

for (const [name, code] of [...FAULTS, ["panic-later", "instance_lost"]]) {
  test(`${name}: a live read that meets it is a 500, and the next one waits as ever`, async () => {
    const path = await create();
    await append(path, "a");
    failed(await within(AT_ONCE_MS, listen(path, 1, fault(name))), code);
    failed(await within(AT_ONCE_MS, poll(path, 1, fault(name))), code);
    const waiting = [listen(path, 1), poll(path, 1)];
    await sleep(SETTLED_MS);
    await append(path, "b", { "stream-closed": "true" });
    events(await within(AT_ONCE_MS, waiting[0]), `${control(1)}${data("b", 2, CLOSED)}`);
    const polled = await within(AT_ONCE_MS, waiting[1]);
    assert.deepEqual([polled.status, polled.body.toString(), polled.headers["stream-closed"]], [200, "b", "true"]);
  });
}

test("a reader for whom the object has no socket is told so, and the next one waits as ever", async () => {
  const path = await create();
  for (const read of [listen, poll]) {
    const answer = await within(AT_ONCE_MS, read(path, 0, fault("no-socket")));
    assert.deepEqual([answer.status, JSON.parse(answer.body).error.code], [503, "object_overloaded"]);
  }
  const waiting = poll(path, 0);
  await sleep(SETTLED_MS);
  await append(path, "a");
  assert.equal((await within(AT_ONCE_MS, waiting)).status, 200);
});

test("a client that leaves takes nobody with it", async () => {
  const path = await create();
  const leaving = new AbortController();
  const base = process.env.TAILRACE_WORKERD_URL;
  const left = fetch(`${base}${path}?offset=-1&live=long-poll`, { signal: leaving.signal });
  await sleep(SETTLED_MS);
  // It has joined the flight of the client that leaves.
  const joined = send("GET", `${path}?offset=-1&live=long-poll`);
  await sleep(SETTLED_MS);
  leaving.abort();
  await assert.rejects(left);
  await sleep(SETTLED_MS);
  await append(path, "a");
  const answer = await within(AT_ONCE_MS, joined);
  assert.deepEqual([answer.status, answer.body.toString()], [200, "a"]);
});
