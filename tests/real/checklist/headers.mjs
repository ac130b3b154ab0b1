// What caches in front of the Worker are told.
import assert from "node:assert/strict";
import { CLOSES, PAGE, REST, append, at, fresh, get, long, poll, send, sleep, stored, told } from "./ask.mjs";

/** Status and `Cache-Control` of an answer. */
const rule = (answer) => [answer.status, answer.headers["cache-control"]];
const TAIL = at(PAGE + REST.length);

/** A stream of one page and a half that ends in so many ms. */
const ending = (inMs) => long({ "stream-expires-at": new Date(Date.now() + inMs).toISOString() });

/** The seconds of `max-age` and `stale-while-revalidate`. */
function seconds(answer) {
  const found = /^public, max-age=(\d+)(?:, stale-while-revalidate=(\d+))?$/.exec(answer.headers["cache-control"]);
  assert.ok(found, answer.headers["cache-control"]);
  return found.slice(1).map((number) => Number(number ?? 0));
}

export const CHECKS = {
  async 20() {
    const path = await long();
    const { miss, hit } = await stored(() => get(path, "-1"));
    for (const page of [miss, hit]) {
      assert.deepEqual(rule(page), [200, "public, max-age=60, stale-while-revalidate=300"]);
    }
    assert.deepEqual(rule(await get(path, at(PAGE))), [200, "no-cache"]);
    await append(path, "", CLOSES);
    const end = await get(path, at(PAGE));
    assert.deepEqual(rule(end), [200, "no-cache"]);
    assert.match(end.headers.etag, /^".+"$/);
  },

  async 21() {
    const path = await long();
    for (const offset of ["-1", at(PAGE)]) {
      const { miss, hit } = await stored(() => poll(path, offset));
      for (const answer of [miss, hit]) assert.deepEqual(rule(answer), [200, "public, max-age=20"]);
    }
    const waiting = poll(path, TAIL);
    await sleep(200);
    await append(path, "new");
    assert.deepEqual(rule(await waiting), [200, "public, max-age=20"]);
  },

  async 22() {
    const path = await long();
    assert.deepEqual(rule(await poll(path, TAIL)), [204, "no-store"]);
    await append(path, "", CLOSES);
    assert.deepEqual(rule(await poll(path, TAIL)), [204, "no-store"]);
  },

  async 23() {
    const path = await long();
    assert.deepEqual(rule(await get(path, "now")), [200, "no-store"]);
    assert.deepEqual(rule(await poll(path, "now")), [204, "no-store"]);
    const waiting = poll(path, "now");
    await sleep(200);
    await append(path, "new");
    assert.deepEqual(rule(await waiting), [200, "no-store"]);
  },

  async 24() {
    const path = await long();
    assert.deepEqual(rule(await send("HEAD", path)), [200, "no-store"]);
    await append(path, "", CLOSES);
    assert.deepEqual(rule(await send("HEAD", path)), [200, "no-store"]);
    assert.deepEqual(rule(await send("HEAD", fresh())), [404, "no-store"]);
  },

  async 25() {
    const path = await ending(1_500);
    await sleep(1_600);
    const answers = await Promise.all([
      get(path, "-1"), get(path, at(PAGE)), get(path, "now"), poll(path, TAIL), send("HEAD", path),
    ]);
    for (const answer of answers) assert.deepEqual(rule(answer), [404, "no-store"]);
  },

  async 26() {
    const soon = await ending(5_000);
    for (const read of [get, poll]) {
      const { miss } = await stored(() => read(soon, "-1"));
      const [fresh, stale] = seconds(miss);
      assert.ok(fresh >= 3 && fresh <= 4 && stale === 0, miss.headers["cache-control"]);
    }
    const later = await ending(100_000);
    const [fresh, stale] = seconds(await get(later, "-1"));
    assert.ok(fresh === 60 && stale >= 38 && stale <= 39, `${fresh} s and ${stale} s more`);
    // A stream whose life is extended by reads lives a slack longer than its TTL, an eighth, and the edge keeps an answer
    // for no longer than that slack, so that whoever asks next extends it.
    const sliding = await long({ "stream-ttl": "30" });
    const { miss } = await stored(() => get(sliding, "-1"));
    const [slides] = seconds(miss);
    assert.ok(slides <= 33, `${slides} s`);
    await sleep(3_800);
    assert.deepEqual(told(await get(sliding, "-1")), [200, "MISS"]);
    // The edge keeps no answer for longer than its stream lives.
    await sleep(1_300);
    for (const read of [get, poll]) assert.deepEqual(told(await read(soon, "-1")), [404, "MISS"]);
  },
};
