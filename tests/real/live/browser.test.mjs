// A browser's own EventSource reads a stream live, on a page of another origin than the server's.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import test from "node:test";
import { fresh, send, sleep } from "../workers/client.mjs";
import { Browser } from "./browser.mjs";
import { Proxy } from "./proxy.mjs";

const program = process.env.TAILRACE_CHROMIUM;
if (!program) throw new Error("TAILRACE_CHROMIUM is not set: it is the program of a browser");

const JSON_TYPE = { "content-type": "application/json" };
const LIMIT_MS = 15_000;
/** Longer than a browser waits before it comes back, unless it is told something else: 3 s. */
const NOT_BACK_MS = 4_000;
const CUTS = 10;
/**
 * Between two writes. A browser that was cut off before it was told when to come back does so after 3 s, in which no
 * more than 600 are written.
 */
const PAUSE_MS = 5;
const SEED = 20_260_801;
const STATE = "document.getElementById('state')?.textContent";
const MESSAGES = "[...document.querySelectorAll('#messages > li')].map((item) => item.textContent)";

/** Serves the page. Returns its origin. */
async function servePage() {
  const page = await readFile(new URL("page.html", import.meta.url));
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end(page));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { origin: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}

/** A generator of numbers from 0 to below 1 that gives the same ones for a seed (mulberry32). */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A stream, a proxy, and a page of another origin that shows it through the proxy with a bare EventSource. */
async function show(work) {
  const path = fresh();
  assert.equal((await send("PUT", path, { headers: JSON_TYPE })).status, 201);
  const written = [];
  const write = async (text, headers = {}) => {
    const body = JSON.stringify({ text });
    assert.equal((await send("POST", path, { headers: { ...JSON_TYPE, ...headers }, body })).status, 204);
    written.push(text);
  };
  const [proxy, pages] = await Promise.all([Proxy.start(process.env.TAILRACE_WORKERD_URL), servePage()]);
  assert.notEqual(pages.origin, proxy.url);
  const browser = await Browser.start(program);
  try {
    const url = `${proxy.url}${path}?offset=-1&live=sse`;
    const page = await browser.open(`${pages.origin}/?stream=${encodeURIComponent(url)}`);
    const shows = async (state) => {
      const same = (value) => JSON.stringify(value) === JSON.stringify([state, written]);
      return page.until(`[${STATE}, ${MESSAGES}]`, same, LIMIT_MS);
    };
    await work({ write, shows, proxy });
    // The page waits before the write, so that nothing but the stream makes it change.
    await sleep(1_000);
    const before = proxy.reads;
    await write("the last", { "stream-closed": "true" });
    await shows("closed");
    const after = proxy.reads;
    // The browser has come back once, to be told that there is nothing more.
    assert.ok(after - before <= 1, `${after - before} requests after the close`);
    await sleep(NOT_BACK_MS);
    assert.equal(proxy.reads, after, "the browser has come back after it was told of the end");
    assert.deepEqual(await page.value(MESSAGES), written);
  } finally {
    await browser.stop();
    proxy.stop();
    pages.stop();
  }
}

test("a bare EventSource on a page of another origin shows a stream as it grows, over cuts, to its end", async () => {
  await show(async ({ write, shows, proxy }) => {
    for (const text of ["one", "zwei — 二", "<b>three</b>\r\n\r\nevent: control\ndata: {}"]) await write(text);
    await shows("live");
    for (let count = 0; count < 20; count += 1) {
      await write(`live ${count}`);
      if (count % 5 === 0) await shows("live");
    }
    await shows("live");
    for (let round = 0; round < 3; round += 1) {
      proxy.cutAll();
      await write(`written while cut off ${round}`);
      await shows("live");
    }
    assert.ok(proxy.cut >= 3, `${proxy.cut} connections were cut`);
  });
});

test("a bare EventSource shows each message once, whatever byte its connection is cut at", async () => {
  const draw = random(SEED);
  /** Any byte of what comes next: of an event, of a head, or of what frames them. */
  const anywhere = (bytes) => Math.floor(draw() * bytes.length);
  /** After a data event, and before its control event is complete. */
  const between = (bytes) => {
    const at = bytes.indexOf("event: control");
    const hasData = bytes.subarray(0, Math.max(at, 0)).includes("event: data");
    return hasData ? at + Math.floor(draw() * "event: control".length) : null;
  };
  await show(async ({ write, shows, proxy }) => {
    await write("before");
    await shows("live");
    for (let round = 0; round < CUTS; round += 1) {
      let isCut = false;
      const cut = proxy.cutWithin(round % 2 === 0 ? anywhere : between).then(() => (isCut = true));
      // Some are on their way when the connection breaks, and some come when the browser is away.
      for (let count = 0; !isCut; count += 1) {
        await write(`${round}.${count} ${"x".repeat(Math.floor(draw() * 400))}`);
        await sleep(PAUSE_MS);
        assert.ok(count < 1_000, "no connection was cut");
      }
      await cut;
      await write(`${round} away`);
      if (round % 3 === 0) await shows("live");
    }
    await shows("live");
    assert.equal(proxy.cut, CUTS);
  });
});
