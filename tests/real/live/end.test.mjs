// A stream ends while readers wait: each of them is told, whether their object sleeps or not, and none gets anything of
// a later stream at the same URL.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { append, create, fresh, send, sleep, within } from "../workers/client.mjs";
import { untilAsleep } from "./instance.mjs";
import { poll, pollAfter, SseReader, tail } from "./reader.mjs";

const READERS = 5;
/** Much less than the time after which a waiting reader is answered anyway. */
const SOON_MS = 5_000;
/** A stream whose time to live is under a minute may outlive it by this much. */
const SLACK_MS = 5_000;
const TEXT = { "content-type": "text/plain" };

/** Starts readers that wait at the tail of a stream. */
async function wait(path) {
  const offset = await tail(path);
  const polls = Array.from({ length: READERS }, () => poll(path, offset));
  const readers = await Promise.all(Array.from({ length: READERS }, () => SseReader.at(path, offset)));
  await sleep(300);
  return { offset, readers, polls: Promise.all(polls) };
}

/** Asserts that readers got nothing of the stream that replaced theirs, and that their connections were ended. */
async function sentAway({ readers, polls }, limitMs = SOON_MS) {
  for (const { status, body } of await within(limitMs, polls)) {
    assert.ok(status === 404 || status === 410, `a poll was answered ${status} ${body}`);
  }
  for (const reader of readers) {
    await reader.untilEnd(limitMs);
    assert.equal(reader.text, "");
    assert.notEqual(reader.control.streamClosed, true);
  }
}

/** What happens to a stream with waiting readers, and what they must see of it. */
const ENDS = [
  ["closing ends them", async (path, waiting) => {
    assert.equal((await send("POST", path, { headers: { "stream-closed": "true" } })).status, 204);
    for (const { status, headers, body } of await within(SOON_MS, waiting.polls)) {
      assert.deepEqual([status, headers["stream-closed"], body.length], [204, "true", 0]);
      assert.equal(headers["stream-next-offset"], waiting.offset);
    }
    for (const reader of waiting.readers) {
      await reader.untilEnd(SOON_MS);
      assert.deepEqual([reader.text, reader.control.streamClosed], ["", true]);
      assert.equal(reader.control.streamNextOffset, waiting.offset);
    }
  }],
  ["closing with a last message brings it to them first", async (path, waiting) => {
    assert.equal((await append(path, "last", { "stream-closed": "true" })).status, 204);
    const end = await tail(path);
    for (const answer of await within(SOON_MS, waiting.polls)) {
      assert.deepEqual([answer.status, answer.body.toString()], [200, "last"]);
      assert.equal(answer.headers["stream-next-offset"], end);
      const next = await within(SOON_MS, pollAfter(path, answer));
      assert.deepEqual([next.status, next.headers["stream-closed"]], [204, "true"]);
    }
    for (const reader of waiting.readers) {
      await reader.untilEnd(SOON_MS);
      assert.deepEqual([reader.text, reader.control.streamClosed], ["last", true]);
      assert.equal(reader.control.streamNextOffset, end);
    }
  }],
  ["deletion sends them away", async (path, waiting) => {
    assert.equal((await send("DELETE", path)).status, 204);
    await sentAway(waiting);
    assert.equal((await poll(path, waiting.offset)).status, 404);
  }],
  ["a stream created again in the same moment does not feed them", async (path, waiting) => {
    assert.equal((await send("DELETE", path)).status, 204);
    assert.equal((await send("PUT", path, { headers: TEXT, body: "new" })).status, 201);
    assert.equal((await append(path, "er")).status, 204);
    await sentAway(waiting);
    // Their position is no position of the new stream.
    assert.equal((await poll(path, waiting.offset)).status, 410);
    assert.equal((await send("GET", `${path}?offset=${waiting.offset}&live=sse`)).status, 410);
    const reader = await SseReader.at(path, "-1");
    assert.equal(reader.text, "newer");
    reader.close();
  }],
];

describe("readers that wait at the end of a stream", { concurrency: true }, () => {
  for (const [what, end] of ENDS) {
    for (const asleep of [false, true]) {
      test(`${what}${asleep ? ", their object asleep" : ""}`, async () => {
        const path = await create();
        await append(path, "before");
        const waiting = await wait(path);
        if (asleep) await untilAsleep();
        await end(path, waiting);
      });
    }
  }

  test("expiry sends them away", async () => {
    const path = fresh();
    const expires = new Date(Date.now() + 4_000).toISOString();
    assert.equal((await send("PUT", path, { headers: { ...TEXT, "stream-expires-at": expires } })).status, 201);
    await sentAway(await wait(path), 4_000 + SLACK_MS);
    assert.equal((await poll(path, "-1")).status, 404);
  });

  test("a reader of the old stream that comes late is told so, and one of the new stream gets it whole", async () => {
    const path = await create();
    await append(path, "old");
    const offset = await tail(path);
    assert.equal((await send("DELETE", path)).status, 204);
    await create(path);
    const reader = await SseReader.at(path, "-1");
    assert.equal((await send("GET", `${path}?offset=${offset}&live=sse`)).status, 410);
    await append(path, "new");
    await reader.until(() => reader.text === "new", "the new stream's write");
    reader.close();
  });
});
