// How the host passes events on (platform/workers/js/pipe.mjs, socket.mjs, download.mjs), without a runtime: messages
// that waited and messages that come while none waits take different ways, and must fare alike.
import assert from "node:assert/strict";
import test from "node:test";
import { Download } from "../../../platform/workers/js/download.mjs";
import { pipe } from "../../../platform/workers/js/pipe.mjs";
import { Socket } from "../../../platform/workers/js/socket.mjs";

// What the runtime's own class does where nothing is read ahead: a write is over once its bytes are read.
globalThis.IdentityTransformStream = TransformStream;

/** How a pipe ended: platform/workers/src/outcome.rs. */
const MESSAGE = 20;
const OVERFLOW = 22;
const GONE = 23;
const CLOSED = 24;

const PREFIX = new Uint8Array([1, 2]);
const HEADER = 4;
const LIMITS = [100, 1_000, 5_000, 5_000];

/** The runtime's end of a socket. */
class Wire extends EventTarget {
  accept() {}

  close() {
    this.dispatchEvent(new Event("close"));
  }

  bring(...bytes) {
    this.dispatchEvent(new MessageEvent("message", { data: new Uint8Array(bytes).buffer }));
  }
}

function open() {
  const wire = new Wire();
  const body = new Download();
  return { wire, body, socket: new Socket(wire, 1_000), reader: body.readable.getReader() };
}

const listOf = (bytes) => [...bytes];

/** Lets promises that are settled tell so. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("messages that waited and those that come later are passed on in order, without their headers", async () => {
  const { wire, body, socket, reader } = open();
  wire.bring(1, 2, 0, 1, 10);
  wire.bring(1, 2, 0, 2, 20, 21);
  const piped = pipe(socket, body, PREFIX, HEADER, LIMITS);
  wire.bring(1, 2, 0, 3, 30);
  const read = [];
  for (let count = 0; count < 3; count += 1) read.push(listOf((await reader.read()).value));
  assert.deepEqual(read, [[10], [20, 21], [30]]);
  wire.close();
  const [outcome, message, header] = await piped;
  assert.deepEqual([outcome, message, listOf(header)], [CLOSED, undefined, [1, 2, 0, 3]]);
});

test("a message that is not passed on ends the pipe, whichever way it comes, and what follows it waits", async () => {
  for (const waits of [true, false]) {
    const { wire, body, socket } = open();
    const bring = () => [[1, 2, 0, 1, 10], [1, 9], [1, 2, 0, 2, 20]].forEach((bytes) => wire.bring(...bytes));
    if (waits) bring();
    const piped = pipe(socket, body, PREFIX, HEADER, LIMITS);
    if (!waits) bring();
    const [outcome, message, header] = await piped;
    assert.deepEqual([outcome, listOf(message), listOf(header)], [MESSAGE, [1, 9], [1, 2, 0, 1]], `waits: ${waits}`);
    assert.equal(body.waiting, 1);
    assert.deepEqual(listOf(socket.take()), [1, 2, 0, 2, 20]);
    assert.equal(socket.take(), undefined);
  }
});

test("a message shorter than a header brings no payload, and a header as short", async () => {
  const { wire, body, socket } = open();
  const piped = pipe(socket, body, PREFIX, HEADER, LIMITS);
  wire.bring(1, 2, 0, 1, 10);
  wire.bring(1, 2, 7);
  wire.close();
  const [outcome, , header] = await piped;
  assert.deepEqual([outcome, listOf(header), body.waiting], [CLOSED, [1, 2, 7], 1]);
});

test("a pipe ends once more waits for its client than may, and no sooner", async () => {
  const { wire, body, socket } = open();
  const piped = pipe(socket, body, PREFIX, HEADER, [3, ...LIMITS.slice(1)]);
  wire.bring(1, 2, 0, 1, 10, 11);
  wire.bring(1, 2, 0, 2, 20);
  wire.bring(1, 2, 0, 3, 30);
  wire.bring(1, 2, 0, 4, 40);
  const [outcome, , header] = await piped;
  assert.deepEqual([outcome, listOf(header), body.waiting], [OVERFLOW, [1, 2, 0, 3], 4]);
  assert.deepEqual(listOf(socket.take()), [1, 2, 0, 4, 40]);
});

test("nothing more is passed on to a client for which something waits, while too much waits for all", async () => {
  const other = open();
  other.body.push(new Uint8Array(500));
  const { wire, body, socket } = open();
  const piped = pipe(socket, body, PREFIX, HEADER, [100, 400, ...LIMITS.slice(2)]);
  wire.bring(1, 2, 0, 1, 10);
  wire.bring(1, 2, 0, 2, 20);
  const [outcome, , header] = await piped;
  assert.deepEqual([outcome, listOf(header), body.waiting], [OVERFLOW, [1, 2, 0, 1], 1]);
  await other.reader.cancel();
});

test("a pipe ends when its client is gone", async () => {
  const { wire, body, socket, reader } = open();
  const piped = pipe(socket, body, PREFIX, HEADER, LIMITS);
  wire.bring(1, 2, 0, 1, 10);
  await reader.cancel();
  assert.equal((await piped)[0], GONE);
  assert.equal((await pipe(socket, body, PREFIX, HEADER, LIMITS))[0], GONE);
});

test("what waits for a client falls with each piece that it takes, and is nothing once it is gone", async () => {
  const { body, reader } = open();
  const waiting = [1, 20, 300].map((length) => body.push(new Uint8Array(length)));
  assert.deepEqual(waiting, [1, 21, 321]);
  for (const left of [320, 300, 0]) {
    await reader.read();
    await settled();
    assert.equal(body.waiting, left);
  }
  body.push(new Uint8Array(5));
  body.push(new Uint8Array(6));
  await reader.cancel();
  await settled();
  assert.deepEqual([body.waiting, body.gone], [0, true]);
  assert.equal(body.push(new Uint8Array(7)), -4);
});
