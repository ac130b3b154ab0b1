// Readers of one position share one entry.
import assert from "node:assert/strict";
import { AT_ONCE_MS, PAGE, REST, append, at, eventually, get, long, now, poll, send, sleep } from "./ask.mjs";
import { stored, text, told } from "./ask.mjs";

const TAIL = at(PAGE + REST.length);
const cursor = (answer) => answer.headers["stream-cursor"];
const next = (answer) => answer.headers["stream-next-offset"];

export const CHECKS = {
  async 17() {
    const path = await long();
    const entry = `${path}?offset=${TAIL}&live=long-poll&cursor=7`;
    const waiting = Array.from({ length: 8 }, () => send("GET", entry));
    await sleep(300);
    await append(path, "new");
    const answers = await Promise.all(waiting);
    assert.deepEqual(answers.map(text), answers.map(() => "new"));
    assert.equal(new Set(answers.map(cursor)).size, 1);
    await eventually(() => send("GET", entry));
    // However they spell it.
    const spelled = path.replace("test", "%74est");
    for (const target of [
      `${path}?cursor=7&offset=${TAIL}&live=long-poll`,
      `${path}?live=long-poll&cursor=7&offset=${TAIL}`,
      `${spelled}?offset=${TAIL}&live=long-poll&cursor=7`,
      `${path}?offset=${TAIL}&live=long-poll&cursor=7&other=1`,
    ]) {
      const answer = await send("GET", target);
      assert.deepEqual([...told(answer), text(answer)], [200, "HIT", "new"], target);
    }
    // Another cursor, another offset, and a plain GET are other entries.
    for (const other of [poll(path, TAIL, { cursor: "8" }), poll(path, TAIL), poll(path, at(PAGE), { cursor: "7" })]) {
      assert.deepEqual(told(await other), [200, "MISS"]);
    }
    assert.deepEqual(told(await get(path, TAIL)), [200, "MISS"]);
  },

  async 18() {
    const path = await long();
    const seen = [];
    let offset = "-1";
    for (const status of [200, 200, 204, 204]) {
      const answer = await poll(path, offset, { cursor: seen.at(-1) });
      assert.equal(answer.status, status);
      assert.ok(seen.length === 0 || BigInt(cursor(answer)) > BigInt(seen.at(-1)), `${cursor(answer)} after ${seen}`);
      seen.push(cursor(answer));
      offset = next(answer);
    }
    // So it is with an answer that was stored, also for whoever is ahead.
    const ahead = String(Date.now() + 60_000);
    const { miss, hit } = await stored(() => poll(path, "-1", { cursor: ahead }));
    assert.ok(BigInt(cursor(miss)) > BigInt(ahead));
    assert.equal(cursor(hit), cursor(miss));
  },

  async 19() {
    const path = await long();
    const early = { offset: TAIL, cursor: undefined };
    const late = { offset: TAIL, cursor: undefined };
    const ask = async (reader) => {
      const answer = await poll(path, reader.offset, { cursor: reader.cursor });
      reader.offset = next(answer);
      reader.cursor = cursor(answer);
      return answer;
    };
    // One waits in vain, twice, before the other comes.
    for (let count = 0; count < 2; count += 1) assert.equal((await ask(early)).status, 204);
    const waiting = [ask(early), ask(late)];
    await sleep(200);
    await append(path, "one");
    for (const answer of await Promise.all(waiting)) assert.deepEqual([answer.status, text(answer)], [200, "one"]);
    assert.deepEqual(late, early);
    // From here on they share entries: what one has waited for is there for the other.
    const waits = ask(early);
    await sleep(200);
    await append(path, "two");
    await waits;
    await sleep(250);
    const start = now();
    const answer = await ask(late);
    assert.deepEqual([...told(answer), text(answer)], [200, "HIT", "two"]);
    assert.ok(now() - start < AT_ONCE_MS);
    assert.deepEqual(late, early);
    // The same where nothing comes: one that has waited for a while is met within two polls by one that joins.
    const [earlier, joiner] = [{ ...early }, { offset: early.offset, cursor: undefined }];
    const cursors = async (reader, polls) => {
      const seen = [];
      while (seen.length < polls) seen.push(cursor(await ask(reader)));
      return seen;
    };
    const waited = cursors(earlier, 4);
    await sleep(1_300);
    const [theirs, found] = await Promise.all([waited, cursors(joiner, 2)]);
    assert.ok(found.some((cursor) => theirs.includes(cursor)), `${found} and ${theirs}`);
  },
};
