// The protocol's own client reads live while a producer writes, and both are cut off again and again.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { stream } from "@durable-streams/client";
import { connection, fresh, send, sleep } from "../workers/client.mjs";
import { Proxy } from "./proxy.mjs";

const MESSAGES = 2_000;
const CUTS = 10;
/** After every so many messages the connections are cut. */
const SHARE = MESSAGES / (CUTS + 1);
const JSON_TYPE = { "content-type": "application/json" };

const server = process.env.TAILRACE_WORKERD_URL;

/** Appends all messages through a proxy, repeating each until it is acknowledged, and then closes the stream. */
async function produce(path, proxy, written) {
  const target = new URL(path, proxy.url).href;
  for (let seq = 0; seq < MESSAGES; seq += 1) {
    const headers = { ...JSON_TYPE, "producer-id": "writer", "producer-epoch": "0", "producer-seq": String(seq) };
    if (seq === MESSAGES - 1) headers["stream-closed"] = "true";
    await insist(() => send("POST", target, { headers, body: JSON.stringify({ n: seq }), agent: written.agent }));
    written.count = seq + 1;
  }
}

/**
 * Tries again after a broken connection. By the producer's number the server knows whether it has the message already.
 */
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

/** Reads to the end of the stream with the official client; after each break, from the last offset that it has told. */
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
      // The client's own promise settles when it knows of the end, before it has handed over the last messages.
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
      // An answer of the server is a failure of the test, unlike a broken connection.
      if (error.code === "ERR_ASSERTION" || error.status !== undefined) throw error;
      seen.breaks += 1;
    }
  }
}

/** Cuts each proxy after each share of the messages, as soon as it has a connection. */
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
      // Each cut was one of a live request.
      assert.ok(seen.lives > CUTS, `${seen.lives} live requests`);
      written.agent.destroy();
      reading.stop();
      writing.stop();
    });
  }
});
