// Long-polls of one URL share a flight, and none of them depends on the client that came first.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { append, connection, create, fresh, send, sleep, within } from "../workers/client.mjs";
import { untilAsleep } from "./instance.mjs";
import { poll, tail } from "./reader.mjs";

const POLLS = 10;
/** Later than a long-poll may come to share a flight that has extended a TTL of 2 s: that is an eighth of it. */
const LATER_MS = 2_000;
/** Much less than the time after which a long-poll is answered anyway. */
const SOON_MS = 5_000;

describe("long-polls of one URL", { concurrency: true }, () => {
  for (const asleep of [false, true]) {
    test(`outlive the client that came first${asleep ? ", their object asleep" : ""}`, async () => {
      const path = await create();
      const offset = await tail(path);
      const agent = connection();
      const first = poll(path, offset, { agent });
      await sleep(300);
      const others = Array.from({ length: POLLS }, () => poll(path, offset));
      await sleep(300);
      agent.destroy();
      await assert.rejects(first, { code: "ECONNRESET" });
      if (asleep) await untilAsleep();
      else await sleep(500);
      // A long-poll that comes after the first client has gone waits with the others.
      others.push(poll(path, offset));
      await sleep(300);
      assert.equal((await append(path, "a")).status, 204);
      for (const { status, body } of await within(SOON_MS, Promise.all(others))) {
        assert.deepEqual([status, body.toString()], [200, "a"]);
      }
    });
  }

  for (const ttl of [null, 2]) {
    const does = ttl === null ? "end together" : "end each by itself where the first one extends a short TTL too little";
    test(does, async () => {
      const path = await create(fresh(), ttl === null ? {} : { "stream-ttl": ttl });
      const offset = await tail(path);
      const start = performance.now();
      const ended = async (answer) => [(await answer).status, performance.now() - start];
      const first = ended(poll(path, offset));
      await sleep(LATER_MS);
      const [[status, firstMs], [secondStatus, secondMs]] = await Promise.all([first, ended(poll(path, offset))]);
      assert.deepEqual([status, secondStatus], [204, 204]);
      const apartMs = secondMs - firstMs;
      assert.ok(ttl === null ? apartMs < LATER_MS / 2 : apartMs > LATER_MS / 2, `${apartMs.toFixed()} ms apart`);
      assert.equal((await send("HEAD", path)).status, 200);
    });
  }

  test("that all went away leave nothing behind for the next", async () => {
    const path = await create();
    const offset = await tail(path);
    const agents = Array.from({ length: POLLS }, connection);
    const gone = agents.map((agent) => assert.rejects(poll(path, offset, { agent }), { code: "ECONNRESET" }));
    await sleep(300);
    agents.forEach((agent) => agent.destroy());
    await Promise.all(gone);
    await sleep(300);
    const next = poll(path, offset);
    await sleep(300);
    await append(path, "a");
    const { status, body } = await next;
    assert.deepEqual([status, body.toString()], [200, "a"]);
    // A long-poll that comes later finds the message in the log.
    assert.equal((await poll(path, offset)).body.toString(), "a");
  });
});
