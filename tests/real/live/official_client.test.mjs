// The protocol's own client reads live while a producer writes, and both are cut off again and again.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { stream } from "@durable-streams/client";
import { connection, fresh, send, sleep } from "../workers/client.mjs";
import { Proxy } from "./proxy.mjs";

const MESSAGES = 2_000;
const CUTS = 10;
/** A cut comes after each share of the messages. */
const SHARE = MESSAGES / (CUTS + 1);
const JSON_TYPE = { "content-type": "application/json" };

const server = process.env.TAILRACE_WORKERD_URL;

/** Appends all messages through a proxy, each until it is acknowledged, and then closes the stream. */
async function produce(path, proxy, written) {
  const target = new URL(path, proxy.url).href;
  for (let seq = 0; seq < MESSAGES; seq += 1) {
    const headers = { ...JSON_TYPE, "producer-id": "writer", "producer-epoch": "0", "producer-seq": String(seq) };
    if (seq === MESSAGES - 1) headers["stream-closed"] = "true";
    await insist(() => send("POST", target, { headers, body: JSON.stringify({ n: seq }), agent: written.agent }));
    written.count = seq + 1;
  }
}

/** Tries again after a broken connection: whether the message was taken, the producer's number tells the server. */
async function insist(attempt) {
  for (;;) {
    try {
      const { status, body } = await attempt();
      assert.ok(status === 200 || status === 204, `${status} ${body}`);
      return;
    } catch (error) {
      if (error.code === "ERR_ASSERTION") throw error;
      await sleep(20);
    }
  }
}

/** Reads to the end of the stream with the official client, from the last offset that it has told after each break. */
async function consume(path, proxy, live) {
  const url = new URL(path, proxy.url).href;
  const seen = { items: [], breaks: 0, lives: 0 };
  const observed = (input, init) => {
    if (new URL(input).searchParams.get("live") === live) seen.lives += 1;
    return fetch(input, init);
  };
  const backoffOptions = { initialDelay: 20, maxDelay: 200, multiplier: 2, maxRetries: 20 };
  let offset = "-1";
  for (;;) {
    try {
      const response = await stream({ url, offset, live, fetch: observed, backoffOptions, warnOnHttp: false });
      // The client itself is done as soon as it knows of the end, before it has told of what came with it.
      await new Promise((resolve, reject) => {
        response.subscribeJson((batch) => {
          seen.items.push(...batch.items.map(({ n }) => n));
          offset = batch.offset;
          if (batch.streamClosed) resolve();
        });
        response.closed.catch(reject);
      });
      return seen;
    } catch (error) {
      // An answer of the server's is no broken connection.
      if (error.code === "ERR_ASSERTION" || error.status !== undefined) throw error;
      seen.breaks += 1;
    }
  }
}

/** Cuts each proxy once after each share of the messages, as soon as it carries something. */
async function cut(written, proxies) {
  for (let round = 1; round <= CUTS; round += 1) {
    while (written.count < round * SHARE) await sleep(5);
    await Promise.all(proxies.map(async (proxy) => {
      while (proxy.size === 0) await sleep(1);
      proxy.cutAll();
    }));
  }
}

describe(`the official client, while a producer writes ${MESSAGES} messages`, { concurrency: true }, () => {
  for (const live of ["sse", "long-poll"]) {
    test(`reads by ${live}, and of ${CUTS} cuts nothing is lost and nothing comes twice`, async () => {
      const path = fresh();
      assert.equal((await send("PUT", path, { headers: JSON_TYPE })).status, 201);
      const [reading, writing] = await Promise.all([Proxy.start(server), Proxy.start(server)]);
      const written = { count: 0, agent: connection() };
      const [seen] = await Promise.all([
        consume(path, reading, live),
        produce(path, writing, written),
        cut(written, [reading, writing]),
      ]);
      assert.deepEqual(seen.items, Array.from({ length: MESSAGES }, (_, n) => n));
      assert.ok(reading.cut >= CUTS && writing.cut >= CUTS, `${reading.cut} and ${writing.cut} cuts`);
      // It was the live mode that was cut, each time.
      assert.ok(seen.lives > CUTS, `${seen.lives} live requests`);
      written.agent.destroy();
      reading.stop();
      writing.stop();
    });
  }
});
