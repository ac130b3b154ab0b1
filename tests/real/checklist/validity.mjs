// What an entry stands for: bytes, entity tags, and the stream that it is of.
import assert from "node:assert/strict";
import { CLOSES, PAGE, REST, SSE_MS, append, at, create, eventually, get, listen, long, now, poll } from "./ask.mjs";
import { send, sleep, stored, text, told } from "./ask.mjs";

/** Fields in which a HIT may differ from the MISS: what the edge and the cache say of it, and of the connection. */
const OWN = ["age", "cf-cache-status", "connection", "date", "keep-alive", "x-cache"];

/** The fields of an answer without these. */
const others = ({ headers }) => Object.entries(headers).filter(([name]) => !OWN.includes(name)).sort();

/** Every byte once, and some more. */
const BYTES = Buffer.from(Array.from({ length: 300 }, (_, index) => index % 256));

export const CHECKS = {
  async 27() {
    const path = await long();
    const tail = () => get(path, at(PAGE));
    const { etag } = (await tail()).headers;
    const known = { "if-none-match": etag };
    assert.equal((await get(path, at(PAGE), known)).status, 304);
    await append(path, "", CLOSES);
    const closed = await get(path, at(PAGE), known);
    assert.deepEqual([...told(closed), closed.headers["stream-closed"]], [200, "MISS", "true"]);
    assert.notEqual(closed.headers.etag, etag);
    const end = await get(path, at(PAGE), { "if-none-match": closed.headers.etag });
    assert.deepEqual([end.status, end.headers["stream-closed"]], [304, "true"]);
    // A long-poll that was stored before the close leads to where the close is told.
    const open = await long();
    const { hit } = await stored(() => poll(open, at(PAGE)));
    await append(open, "", CLOSES);
    const polled = await poll(open, at(PAGE), { headers: { "if-none-match": hit.headers.etag } });
    assert.deepEqual(told(polled), [304, "HIT"]);
    const cursor = polled.headers["stream-cursor"];
    const told_ = await poll(open, polled.headers["stream-next-offset"], { cursor });
    assert.deepEqual([told_.status, told_.headers["stream-closed"]], [204, "true"]);
  },

  async 28() {
    const path = await create();
    const start = now();
    const { body } = await listen(path, "-1");
    const ratio = (now() - start) / SSE_MS;
    // Each connection lasts up to a tenth more or less, so that readers do not come back together.
    assert.ok(ratio >= 0.89 && ratio <= 1.25, `it took ${ratio} of its time`);
    assert.match(body.toString(), /event: control\ndata:\{[^\n]*"upToDate":true[^\n]*\}\n(id:\S+\n)?\n$/);
  },

  async 29() {
    const path = await create(undefined, { "content-type": "application/octet-stream" });
    await send("POST", path, { headers: { "content-type": "application/octet-stream" }, body: BYTES });
    for (const [ask, expected] of [
      [() => get(path, "-1"), BYTES.subarray(0, PAGE)],
      [() => get(path, at(PAGE)), BYTES.subarray(PAGE, 2 * PAGE)],
      [() => poll(path, at(PAGE)), BYTES.subarray(PAGE, 2 * PAGE)],
      [() => poll(path, at(2 * PAGE)), BYTES.subarray(2 * PAGE)],
    ]) {
      const { miss, hit } = await stored(ask);
      assert.deepEqual([miss.body, hit.body], [expected, expected]);
      assert.deepEqual(others(hit), others(miss));
    }
  },

  async 30() {
    // It lives for so long that its page may be kept for 3 s, and is deleted at once.
    const path = await long({ "stream-expires-at": new Date(Date.now() + 4_000).toISOString() });
    const { hit: old } = await stored(() => get(path, "-1"));
    const [, fresh, stale] = /^public, max-age=(\d+), stale-while-revalidate=(\d+)$/.exec(old.headers["cache-control"]);
    assert.ok(Number(fresh) <= 3 && Number(stale) === 0, old.headers["cache-control"]);
    await send("DELETE", path);
    await create(path);
    await append(path, "new".padEnd(PAGE, "n"));
    await append(path, REST);
    for (const gone = now() + Number(fresh) * 1_000; ; await sleep(50)) {
      const asked = now();
      const answer = await get(path, "-1");
      const isOld = text(answer) === text(old);
      assert.ok(isOld || text(answer) === "new".padEnd(PAGE, "n"), text(answer));
      assert.equal(answer.headers.etag === old.headers.etag, isOld);
      // Whoever goes on from the old one's end is told, and gets nothing of the new one.
      const on = await get(path, answer.headers["stream-next-offset"]);
      assert.equal(on.status, isOld ? 410 : 200);
      if (!isOld) break;
      assert.ok(asked < gone, "the old one is still there");
    }
    assert.equal(text(await eventually(() => get(path, "-1"))), "new".padEnd(PAGE, "n"));
  },

  async 31() {
    const path = await long();
    for (const ask of [(headers) => get(path, "-1", headers), (headers) => poll(path, "-1", { headers })]) {
      const { etag } = (await ask({})).headers;
      await eventually(() => ask({}));
      for (const [list, status] of [
        [etag, 304],
        [`W/${etag}`, 304],
        [`"x", ${etag}`, 304],
        [`"x" , W/${etag}, "y"`, 304],
        ["*", 304],
        ['"x"', 200],
        [`${etag.slice(0, -1)}0"`, 200],
        ['W/"x", "y"', 200],
      ]) {
        // What is stored answers it, and so does the object.
        for (const [fields, cached] of [[{}, "HIT"], [{ "cache-control": "no-cache" }, "BYPASS"]]) {
          const answer = await ask({ ...fields, "if-none-match": list });
          assert.deepEqual([...told(answer), answer.headers.etag], [status, cached, etag], list);
          assert.equal(answer.body.length > 0, status === 200);
        }
      }
    }
  },
};
