// What a request's task does with the cache of the datacenter, which is a stand-in here: in Node there is none.
import assert from "node:assert/strict";
import test from "node:test";
import { EdgeIo } from "../../../platform/workers/js/edge_io.mjs";

// How an operation ended: platform/workers/src/outcome.rs.
const REPLY = 10;
const ABSENT = 14;
const OVER = 15;

/** Longer than a look-up takes here. */
const LOOK_UP_MS = 5_000;

const KEY = "https://a.example/.tailrace/2/_default/a?offset=-1";
const FIELDS = "content-type\ntext/plain\netag\n\"1\"\n";
const bytes = (text) => new TextEncoder().encode(text);

/** A task whose isolate has a cache with these operations, what it answered, and what outlasts its request. */
function task(operations) {
  globalThis.caches = { default: operations };
  const [answers, outlasting] = [[], []];
  const io = new EdgeIo({
    answer: (answer) => answers.push(answer),
    call: async () => found("an object's"),
    outlasting: (promise) => (outlasting.push(promise), promise),
  });
  return { io, answers, outlasting };
}

/** Starts an operation. Returns how it ended. */
function ended(io, start) {
  start(io);
  return io.ended();
}

const found = (text = "data", headers = { "x-note": "7", etag: '"1"' }) => new Response(text, { headers });

test("a look-up asks for the bare URL, and what it finds is passed on changed", async () => {
  const asked = [];
  const { io, answers } = task({ match: async (...parameters) => (asked.push(parameters), found()) });
  assert.equal(await ended(io, (io) => io.lookUp(KEY, LOOK_UP_MS)), REPLY);
  assert.deepEqual(asked, [[KEY]]);
  assert.match(io.head(), /^200\n(.*\n)*x-note\n7\n/);
  io.passOn("x-note x-other\nx-cache\nHIT\nage\n3\n");
  const [answer] = answers;
  assert.deepEqual([answer.status, await answer.text()], [200, "data"]);
  const fields = ["x-note", "x-cache", "age", "etag"].map((name) => answer.headers.get(name));
  assert.deepEqual(fields, [null, "HIT", "3", '"1"']);
});

test("an answer that does not change is passed on as it is, and a kept one as plain data", async () => {
  const response = found();
  const { io, answers } = task({ match: async () => response });
  await ended(io, (io) => io.lookUp(KEY, LOOK_UP_MS));
  io.passOn(undefined);
  assert.equal(answers[0], response);
  io.keepOwn(200, FIELDS, bytes("kept"));
  io.answerKept(undefined);
  assert.deepEqual(answers[1], [200, FIELDS, bytes("kept")]);
});

test("a kept answer is changed for one client, and stays as it is for others", async () => {
  const { io, answers } = task({});
  io.keepOwn(200, FIELDS, bytes("kept"));
  io.answerKept("etag\ncontent-type\ntext/html\nx-cache\nMISS\n");
  io.answerKept("\nx-cache\nBYPASS\n");
  const told = answers.map(({ headers }) => ["etag", "content-type", "x-cache"].map((name) => headers.get(name)));
  assert.deepEqual(told, [[null, "text/html", "MISS"], ['"1"', "text/plain", "BYPASS"]]);
  assert.deepEqual(await Promise.all(answers.map((answer) => answer.text())), ["kept", "kept"]);
});

for (const [name, cache] of [
  ["nothing", { match: async () => undefined }],
  ["a failure", { match: () => Promise.reject(new Error("no cache")) }],
  ["an exception", { match: () => { throw new Error("no cache"); } }],
  ["no cache", undefined],
]) {
  test(`${name} is nothing found`, async () => {
    const { io, answers } = task(cache);
    assert.equal(await ended(io, (io) => io.lookUp(KEY, LOOK_UP_MS)), ABSENT);
    assert.deepEqual(answers, []);
  });
}

test("an isolate without caches finds nothing, stores nothing and removes nothing", async () => {
  const { io } = task({});
  delete globalThis.caches;
  io.keepOwn(200, FIELDS, bytes("kept"));
  assert.equal(await ended(io, (io) => io.lookUp(KEY, LOOK_UP_MS)), ABSENT);
  assert.equal(await ended(io, (io) => io.store(KEY, "")), OVER);
  assert.equal(await ended(io, (io) => io.remove(KEY)), OVER);
});

test("what is stored is the kept answer with the fields in addition, and nothing else", async () => {
  const stored = [];
  const { io } = task({ put: async (key, response) => void stored.push([key, response]) });
  io.keepOwn(200, FIELDS, bytes("kept"));
  assert.equal(await ended(io, (io) => io.store(KEY, "x-note\n7\n")), OVER);
  const [[key, response]] = stored;
  assert.deepEqual([key, response.status, await response.text()], [KEY, 200, "kept"]);
  const fields = [...response.headers].sort();
  assert.deepEqual(fields, [["content-type", "text/plain"], ["etag", '"1"'], ["x-note", "7"]]);
});

test("storing ends when the cache has taken it, and outlasts its request", async () => {
  let take;
  const { io, outlasting } = task({ put: () => new Promise((resolve) => (take = resolve)) });
  io.keepOwn(200, FIELDS, bytes("kept"));
  let outcome;
  const ends = ended(io, (io) => io.store(KEY, "")).then((ended) => (outcome = ended));
  await new Promise(setImmediate);
  assert.equal(outcome, undefined);
  assert.equal(outlasting.length, 1);
  take();
  await Promise.all([ends, outlasting[0]]);
  assert.equal(outcome, OVER);
});

test("an answer that the cache refuses, or cannot take, is no failure of its request", async () => {
  for (const put of [() => Promise.reject(new Error("full")), () => { throw new TypeError("206"); }]) {
    const { io, outlasting } = task({ put });
    io.keepOwn(200, FIELDS, bytes("kept"));
    assert.equal(await ended(io, (io) => io.store(KEY, "")), OVER);
    await outlasting[0];
  }
});

test("a stored answer is removed by its key, and outlasts its request; a failure is none of its", async () => {
  const removed = [];
  const { io, outlasting } = task({ delete: async (key) => (removed.push(key), false) });
  assert.equal(await ended(io, (io) => io.remove(KEY)), OVER);
  assert.deepEqual([removed, outlasting.length], [[KEY], 1]);
  const failing = task({ delete: () => Promise.reject(new Error("no cache")) });
  assert.equal(await ended(failing.io, (io) => io.remove(KEY)), OVER);
});

test("the body of a stored answer that nobody wants is let go, of one that was passed on it is not", async () => {
  const called = async (io) => {
    io.call(0, "objectmessage", 6, 0, 0);
    await io.ended();
    io.passOn(undefined);
  };
  for (const [use, isLetGo] of [[() => {}, true], [called, true], [(io) => io.passOn(undefined), false]]) {
    let letGo = false;
    const body = new ReadableStream({ cancel: () => void (letGo = true) });
    const { io } = task({ match: async () => new Response(body) });
    await ended(io, (io) => io.lookUp(KEY, LOOK_UP_MS));
    await use(io);
    io.end();
    await new Promise(setImmediate);
    assert.equal(letGo, isLetGo);
  }
});

test("what is found after the task has ended is let go", async () => {
  let bring;
  let letGo = false;
  const body = new ReadableStream({ cancel: () => void (letGo = true) });
  const { io } = task({ match: () => new Promise((resolve) => (bring = resolve)) });
  const ends = ended(io, (io) => io.lookUp(KEY, LOOK_UP_MS));
  io.end();
  bring(new Response(body));
  await ends;
  await new Promise(setImmediate);
  assert.ok(letGo);
});

test("a look-up that takes too long has found nothing, and what it finds then is let go", async () => {
  let bring;
  let letGo = false;
  const body = new ReadableStream({ cancel: () => void (letGo = true) });
  const { io } = task({ match: () => new Promise((resolve) => (bring = resolve)) });
  const start = performance.now();
  assert.equal(await ended(io, (io) => io.lookUp(KEY, 50)), ABSENT);
  assert.ok(performance.now() - start < 1_000);
  bring(new Response(body));
  await new Promise(setImmediate);
  assert.ok(letGo);
});
