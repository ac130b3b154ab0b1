// What is stored, and what answers say of it.
import assert from "node:assert/strict";
import { DEBUG, FIRST, NO_CACHE, PAGE, REST, append, at, create, eventually, get, listen, long, poll } from "./ask.mjs";
import { send, sleep, stored, text, told } from "./ask.mjs";

export const CHECKS = {
  async 1() {
    const path = await long();
    const { miss } = await stored(() => get(path, "-1"));
    assert.equal(text(miss), FIRST);
    assert.equal(miss.headers["stream-up-to-date"], undefined);
  },

  async 2() {
    const path = await long();
    const { miss } = await stored(() => poll(path, "-1"));
    assert.equal(text(miss), FIRST);
    assert.equal(miss.headers["stream-up-to-date"], undefined);
  },

  async 3() {
    const path = await long();
    const { miss } = await stored(() => poll(path, at(PAGE)));
    assert.deepEqual([text(miss), miss.headers["stream-up-to-date"]], [REST, "true"]);
    // One that has waited for it.
    const tail = at(PAGE + REST.length);
    const waiting = poll(path, tail);
    await sleep(200);
    await append(path, "new");
    assert.deepEqual(told(await waiting), [200, "MISS"]);
    assert.equal(text(await eventually(() => poll(path, tail))), "new");
  },

  async 12() {
    const path = await create();
    await append(path, "old".padEnd(PAGE));
    await append(path, REST);
    assert.deepEqual(told(await get(path, "-1", NO_CACHE)), [200, "BYPASS"]);
    await eventually(() => get(path, "-1"));
    await send("DELETE", path);
    await create(path);
    await append(path, "new".padEnd(PAGE));
    await append(path, REST);
    assert.match(text(await get(path, "-1")), /^old/);
    const fresh = await get(path, "-1", NO_CACHE);
    assert.deepEqual([...told(fresh), text(fresh).slice(0, 3)], [200, "BYPASS", "new"]);
    await sleep(250);
    const hit = await eventually(() => get(path, "-1"));
    assert.match(text(hit), /^new/);
  },

  async 14() {
    const path = await long();
    const { hit } = await stored(() => get(path, "-1"));
    assert.match(hit.headers.age, /^[0-5]$/);
    const age = Number(hit.headers.age);
    await sleep(1_100);
    const later = await get(path, "-1");
    assert.deepEqual(told(later), [200, "HIT"]);
    assert.ok(Number(later.headers.age) > age, `${later.headers.age} s after ${age} s`);
  },

  async 15() {
    const path = await long();
    for (const miss of [await get(path, "-1"), await get(path, at(PAGE)), await poll(path, at(PAGE))]) {
      assert.deepEqual([...told(miss), miss.headers.age], [200, "MISS", undefined]);
    }
  },

  async 16() {
    const path = await long();
    await stored(() => get(path, "-1"));
    for (const directives of ["no-cache", "No-Cache", "max-age=0", "max-age=60, no-cache"]) {
      const fields = { "cache-control": directives };
      const answer = await get(path, "-1", fields);
      assert.deepEqual([...told(answer), answer.headers.age], [200, "BYPASS", undefined], directives);
      assert.deepEqual(told(await poll(path, "-1", { headers: fields })), [200, "BYPASS"], directives);
    }
    const never = await Promise.all([
      get(path, "now"),
      poll(path, "now"),
      get(path, "-1", DEBUG),
      get(path, "-1", { "cache-control": "no-store" }),
      listen(path, "-1"),
      ...["HEAD", "OPTIONS", "PATCH"].map((method) => send(method, path)),
      send("PUT", path, { headers: { "content-type": "text/plain" } }),
      append(path, "c"),
      get("/v1/elsewhere", "-1"),
    ]);
    assert.deepEqual(never.map((answer) => answer.headers["x-cache"]), never.map(() => undefined));
  },
};
