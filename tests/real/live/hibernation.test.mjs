// An object sleeps while readers wait, so that waiting readers cost nothing.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { append, create, sleep } from "../workers/client.mjs";
import { appendTo, instance, rowsRead, untilAsleep } from "./instance.mjs";
import { poll, pollAfter, SseReader, tail } from "./reader.mjs";

const READERS = 50;
/** What an object reads when it wakes: its tables, its configuration, and the ends of its log. */
const START_ROWS = 50;

/** Makes this many of something, all at once. */
const many = (count, make) => Promise.all(Array.from({ length: count }, make));

describe("an object with waiting readers", { concurrency: true }, () => {
  test(`sleeps under ${READERS} SSE and ${READERS} long-poll readers, and each gets the next write once`, async () => {
    const path = await create();
    await append(path, "before ");
    const offset = await tail(path);
    const readers = await many(READERS, () => SseReader.at(path, offset));
    const polls = many(READERS, () => poll(path, offset));
    // Time for the polls to arrive.
    await sleep(300);
    const first = await instance(path);
    await untilAsleep();
    assert.notEqual(await appendTo(path, "one "), first, "the readers have kept the object awake");

    const answers = await polls;
    for (const { status, body } of answers) assert.deepEqual([status, body.toString()], [200, "one "]);
    assert.equal(new Set(answers.map(({ headers }) => headers["stream-next-offset"])).size, 1);

    const next = Promise.all(answers.map((answer) => pollAfter(path, answer)));
    await sleep(300);
    await append(path, "two ");
    for (const { status, body } of await next) assert.deepEqual([status, body.toString()], [200, "two "]);
    await Promise.all(readers.map((reader) => reader.until(() => reader.text.endsWith("two "), "the second write")));
    const end = await tail(path);
    for (const reader of readers) {
      assert.equal(reader.text, "one two ");
      assert.equal(reader.control.streamNextOffset, end);
      assert.equal(reader.ended, null);
      reader.close();
    }
  });

  test("sleeps after two readers have joined in the same moment", async () => {
    // Readers join the objects of new streams, and objects that have just been read.
    const paths = await many(16, (_, index) => create().then(async (path) => {
      if (index % 2) await append(path, "before ");
      return path;
    }));
    await Promise.all(paths.map(async (path) => {
      const offset = await tail(path);
      const [one, other, polled] = [SseReader.at(path, offset), SseReader.at(path, offset), poll(path, offset)];
      const readers = await Promise.all([one, other]);
      await sleep(300);
      const first = await instance(path);
      await untilAsleep();
      assert.notEqual(await appendTo(path, "after"), first, "the readers have kept the object awake");
      assert.equal((await polled).body.toString(), "after");
      for (const reader of readers) {
        await reader.until(() => reader.text !== "", "the write");
        assert.equal(reader.text, "after");
        reader.close();
      }
    }));
  });

  test(`reads at most ${START_ROWS} rows when it wakes, however long its log is`, async () => {
    const path = await create();
    for (let number = 0; number < 300; number += 1) await append(path, "x");
    const first = await instance(path);
    await untilAsleep();
    const { name, request, instance: all } = await rowsRead(path);
    assert.notEqual(name, first, "the object has not slept");
    assert.ok(all > request && all - request <= START_ROWS, `${all - request} rows at the start`);
  });

  test("sleeps again after each of three writes, and its readers stay", async () => {
    const path = await create();
    const reader = await SseReader.at(path, await tail(path));
    let last = await instance(path);
    for (const text of ["one ", "two ", "three "]) {
      await untilAsleep();
      const woken = await appendTo(path, text);
      assert.notEqual(woken, last, `awake before ${text}`);
      last = woken;
      await reader.until(() => reader.text.endsWith(text), text);
    }
    assert.equal(reader.text, "one two three ");
    reader.close();
  });
});
