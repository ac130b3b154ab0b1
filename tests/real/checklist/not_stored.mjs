// What is not stored.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { CLOSES, DEBUG, LONG_POLL_MS, PAGE, REST, append, at, create, eventually, fresh, get, listen } from "./ask.mjs";
import { long, notStored, now, poll, send, sleep, text, told } from "./ask.mjs";

/** Debug headers, which only answers to requests for them have. */
const debugged = ({ headers }) => headers["tailrace-instance"] !== undefined;

export const CHECKS = {
  async 4() {
    const path = await long();
    await notStored(() => get(path, at(PAGE)), [200, "MISS"]);
  },

  async 5() {
    const path = await long();
    await append(path, "end", CLOSES);
    const [answer] = await notStored(() => get(path, at(PAGE)), [200, "MISS"]);
    assert.deepEqual([text(answer), answer.headers["stream-closed"]], [`${REST}end`, "true"]);
  },

  async 6() {
    const path = await long();
    const tail = at(PAGE + REST.length);
    const start = now();
    const [{ headers }] = await notStored(() => poll(path, tail), [204, "MISS"]);
    assert.ok(now() - start >= 2 * LONG_POLL_MS, "the second one has waited as well");
    // The same of one with a cursor, and of one that does not wait since the stream is closed.
    await notStored(() => poll(path, tail, { cursor: headers["stream-cursor"] }), [204, "MISS"]);
    await append(path, "", CLOSES);
    await notStored(() => poll(path, tail), [204, "MISS"]);
    // This cache takes no answer without a body, so it would not show one that is stored; but it complains.
    assert.doesNotMatch(readFileSync(process.env.TAILRACE_WORKERD_LOG, "utf8"), /null body status/);
  },

  async 7() {
    const path = await long();
    await notStored(() => get(path, "now"), [200, undefined]);
    const waiting = poll(path, "now");
    await sleep(200);
    await append(path, "new");
    assert.deepEqual(told(await waiting), [200, undefined]);
    await sleep(250);
    assert.deepEqual(told(await poll(path, "now")), [204, undefined]);
  },

  async 8() {
    const path = await long({ "stream-expires-at": new Date(Date.now() + 2_000).toISOString() });
    // Stored while it lives, but for no longer than that.
    await get(path, "-1");
    await sleep(2_100);
    await notStored(() => get(path, "-1"), [404, "MISS"]);
    await notStored(() => poll(path, "-1"), [404, "MISS"]);
    await create(path);
    await append(path, "new");
    assert.equal(text(await get(path, "-1")), "new");
    assert.equal(text(await poll(path, "-1")), "new");
  },

  async 9() {
    const path = fresh();
    await notStored(() => get(path, "-1"), [404, "MISS"]);
    await notStored(() => poll(path, "-1"), [404, "MISS"]);
    await create(path);
    await append(path, "old");
    for (const read of [get, poll]) {
      assert.equal(text(await read(path, "-1")), "old");
      await notStored(() => read(path, at(1_000)), [400, "MISS"]);
      await notStored(() => read(path, "x"), [400, undefined]);
    }
    await send("DELETE", path);
    await create(path);
    for (const read of [get, poll]) {
      await notStored(() => read(path, at(3)), [410, "MISS"]);
    }
  },

  async 10() {
    const path = await create();
    await append(path, "one");
    const [first] = await notStored(() => listen(path, "-1"), [200, undefined]);
    assert.match(text(first), /^data:one$/m);
    await append(path, "two", CLOSES);
    const second = await listen(path, "-1");
    assert.deepEqual([...told(second), /^data:onetwo$/m.test(text(second))], [200, undefined, true], text(second));
    // Neither does a long-poll or a plain GET of the same offset take what events have brought.
    assert.deepEqual(told(await get(path, "-1")), [200, "MISS"]);
  },

  async 11() {
    const path = await long();
    for (const read of [get, (path, offset, headers) => poll(path, offset, { headers })]) {
      const answers = await notStored(() => read(path, "-1", DEBUG), [200, undefined]);
      assert.deepEqual(answers.map(debugged), [true, true]);
      const miss = await read(path, "-1");
      assert.deepEqual([...told(miss), debugged(miss)], [200, "MISS", false]);
      const hit = await eventually(() => read(path, "-1"));
      const again = await read(path, "-1", DEBUG);
      assert.deepEqual([debugged(hit), ...told(again), debugged(again)], [false, 200, undefined, true]);
      const later = await read(path, "-1");
      assert.deepEqual([...told(later), debugged(later)], [200, "HIT", false]);
    }
  },

  async 13() {
    const path = await long();
    const before = await get(path, at(PAGE));
    await sleep(250);
    for (const [added, expected] of [["c", `${REST}c`], ["d", `${REST}cd`]]) {
      await append(path, added);
      const after = await get(path, at(PAGE));
      assert.deepEqual([...told(after), text(after)], [200, "MISS", expected]);
      assert.notEqual(after.headers.etag, before.headers.etag);
      await sleep(250);
    }
  },
};
