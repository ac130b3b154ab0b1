// Long-polls of one URL share a flight, and none of them depends on the client that came first.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { append, connection, create, sleep, within } from "../workers/client.mjs";
import { untilAsleep } from "./instance.mjs";
import { poll, tail } from "./reader.mjs";

const POLLS = 10;
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
