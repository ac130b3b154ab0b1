// The map of what requests have (platform/workers/js/weak_values.mjs): entries of requests that are garbage expire, also
// where they are few.
import assert from "node:assert/strict";
import test from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { WeakValues } from "../../../platform/workers/js/weak_values.mjs";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");

/** Sets values that are garbage at once, in a function of its own so that no frame holds them. */
function fill(map, count) {
  for (let key = 0; key < count; key += 1) map.set(`lost ${key}`, { of: "a request that ended without a word" });
}

async function collected() {
  // A WeakRef holds its target until the turn that made it has ended.
  await new Promise((resolve) => setTimeout(resolve, 0));
  collect();
}

test("entries of garbage go with the first new entry after a minute, and those of the living stay", async (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 1_767_225_600_000 });
  const forgotten = [];
  const map = new WeakValues((key) => forgotten.push(key));
  const living = {};
  map.set("living", living);
  fill(map, 10);
  await collected();
  context.mock.timers.tick(59_999);
  map.set("early", living);
  assert.deepEqual([map.size, forgotten.length], [12, 0]);
  context.mock.timers.tick(1);
  map.set("late", living);
  assert.deepEqual([map.size, forgotten.length], [3, 10]);
  assert.equal(map.get("living"), living);
});

test("many entries of garbage do not wait for a minute", async (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 1_767_225_600_000 });
  const map = new WeakValues();
  for (let round = 0; round < 10; round += 1) {
    fill(map, 100);
    await collected();
  }
  assert.ok(map.size <= 200, `${map.size} entries`);
});
