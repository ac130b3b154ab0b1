// What a request's task is told of KV, and when. KV is a stand-in here, so that it can fail, and take its time.
import assert from "node:assert/strict";
import test from "node:test";
import { EdgeIo } from "../../../platform/workers/js/edge_io.mjs";
import * as kv from "../../../platform/workers/js/kv.mjs";

// How an operation ended: platform/workers/src/outcome.rs.
const ABSENT = 14;
const UNTOLD = 52;
const TOLD = 53;

/** Longer than KV takes here. */
const WITHIN_MS = 5_000;

/** A task whose Worker has this namespace. */
const task = (namespace) =>
  new EdgeIo({
    readKv: (key) => kv.read(namespace, key),
    listKv: (from) => kv.list(namespace, from),
  });

function ended(io, start) {
  start(io);
  return io.ended();
}

test("a text is told, and that there is none, and that KV fails or is not bound", async () => {
  const asked = [];
  const namespace = (text) => ({ get: async (...parameters) => (asked.push(parameters), text) });
  const io = task(namespace("of a project"));
  assert.equal(await ended(io, (io) => io.readKv("p", WITHIN_MS)), TOLD);
  assert.equal(io.words, "of a project");
  assert.deepEqual(asked, [["p", { cacheTtl: 30 }]]);
  assert.equal(await ended(task(namespace(null)), (io) => io.readKv("p", WITHIN_MS)), ABSENT);
  // An empty text is one.
  assert.equal(await ended(task(namespace("")), (io) => io.readKv("p", WITHIN_MS)), TOLD);
  const fails = { get: () => Promise.reject(new Error("KV is down")) };
  assert.equal(await ended(task(fails), (io) => io.readKv("p", WITHIN_MS)), UNTOLD);
  assert.equal(await ended(task(undefined), (io) => io.readKv("p", WITHIN_MS)), UNTOLD);
});

test("what KV does not tell in time is not waited for", async () => {
  let bring;
  const slow = { get: () => new Promise((resolve) => (bring = resolve)) };
  const io = task(slow);
  const began = performance.now();
  assert.equal(await ended(io, (io) => io.readKv("p", 30)), UNTOLD);
  assert.ok(performance.now() - began < WITHIN_MS);
  bring("late");
  await new Promise(setImmediate);
  assert.equal(io.words, "");
});

test("keys are listed with their notes, and where the next page begins", async () => {
  const asked = [];
  const pages = {
    list: async (options) => {
      asked.push(options);
      const keys = [{ name: "a" }, { name: "b", metadata: { note: "deleted" } }, { name: "c\nd", metadata: {} }];
      return options.cursor === undefined ? { keys, list_complete: false, cursor: "next" } : { keys: [], list_complete: true };
    },
  };
  const io = task(pages);
  assert.equal(await ended(io, (io) => io.listKv("", WITHIN_MS)), TOLD);
  assert.equal(io.words, "next\na\n\nb\ndeleted\n", "no key of ours has a line feed");
  assert.equal(await ended(io, (io) => io.listKv("next", WITHIN_MS)), TOLD);
  assert.equal(io.words, "\n");
  assert.deepEqual(asked, [{}, { cursor: "next" }]);
  assert.equal(await ended(task(undefined), (io) => io.listKv("", WITHIN_MS)), UNTOLD);
});
