// How long a reader waits: a long-poll 20 s if the deployment configures nothing, an SSE connection about the minute that
// it configures here (its default is half an hour).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { append, create, sleep } from "../workers/client.mjs";
import { poll, pollAfter, SseReader, tail } from "./reader.mjs";

const LONG_POLL_MS = 20_000;
/** SSE connections end within this span, so that readers do not come back together. */
const SSE_MS = [45_000, 75_000];
const READERS = 8;
/** A comment comes after so long a silence: `KEEP_ALIVE_MS` of core. */
const KEEP_ALIVE_MS = 15_000;
/** A pause between two appends that is much shorter. Several of them are longer than one silence. */
const BUSY_MS = 3_000;

const timed = async (promise) => {
  const start = performance.now();
  return [await promise, performance.now() - start];
};

describe("a reader that waits in vain", { concurrency: true }, () => {
  test("is told by long-poll after 20 s, and never gets the same empty answer twice", async () => {
    const path = await create();
    await append(path, "before");
    const offset = await tail(path);
    const answers = await Promise.all([timed(poll(path, offset)), timed(poll(path, offset))]);
    for (const [{ status, headers, body }, tookMs] of answers) {
      assert.deepEqual([status, body.length], [204, 0]);
      assert.ok(tookMs > LONG_POLL_MS - 500 && tookMs < LONG_POLL_MS + 2_500, `${tookMs.toFixed()} ms`);
      assert.equal(headers["stream-next-offset"], offset);
      assert.equal(headers["stream-up-to-date"], "true");
      assert.equal(headers["cache-control"], "no-store");
    }
    const cursors = answers.map(([{ headers }]) => Number(headers["stream-cursor"]));
    assert.equal(cursors[0], cursors[1], "two readers that wait at one place are sent to different ones");
    const [again] = await Promise.all([pollAfter(path, answers[0][0]), append(path, "after")]);
    assert.deepEqual([again.status, again.body.toString()], [200, "after"]);
    assert.ok(Number(again.headers["stream-cursor"]) > cursors[0]);
  });

  test("is sent away by SSE after about a minute, not all at once, and can go on where it was", async () => {
    const path = await create();
    await append(path, "before");
    const offset = await tail(path);
    const readers = await Promise.all(Array.from({ length: READERS }, () => SseReader.at(path, offset)));
    const ends = await Promise.all(readers.map(async (reader) => {
      const [, tookMs] = await timed(reader.untilEnd(SSE_MS[1]));
      return tookMs;
    }));
    for (const tookMs of ends) assert.ok(tookMs > SSE_MS[0], `${tookMs.toFixed()} ms`);
    assert.ok(Math.max(...ends) - Math.min(...ends) > 1_000, `all ended within a second: ${ends.map(Math.round)}`);
    await append(path, "after");
    for (const reader of readers) {
      assert.equal(reader.text, "");
      assert.equal(reader.control.streamNextOffset, offset);
      assert.notEqual(reader.control.streamClosed, true);
      assert.ok(reader.comments > 0, "nothing was sent for a minute: a client that had gone would not be noticed");
    }
    const next = await SseReader.at(path, offset);
    assert.equal(next.text, "after");
    next.close();
  });

  test("is sent no comment by SSE as long as something comes, and one after 15 s without", async () => {
    const path = await create();
    const reader = await SseReader.at(path, "-1");
    for (let count = 0; count < 8; count += 1) {
      await sleep(BUSY_MS);
      await append(path, "x");
    }
    await reader.until(() => reader.text === "x".repeat(8), "what was written");
    assert.equal(reader.comments, 0);
    const [, tookMs] = await timed(reader.until(() => reader.comments > 0, "a comment", 2 * KEEP_ALIVE_MS));
    assert.ok(tookMs > KEEP_ALIVE_MS - 1_000 && tookMs < KEEP_ALIVE_MS + 2_500, `${tookMs.toFixed()} ms`);
    reader.close();
  });
});
