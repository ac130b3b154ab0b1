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

test("EventSource on a page of another origin shows a stream as it grows, over a cut, to its end", async () => {
  const path = fresh();
  assert.equal((await send("PUT", path, { headers: JSON_TYPE })).status, 201);
  const written = [];
  const write = async (text, headers = {}) => {
    const body = JSON.stringify({ text });
    assert.equal((await send("POST", path, { headers: { ...JSON_TYPE, ...headers }, body })).status, 204);
    written.push(text);
  };
  for (const text of ["one", "zwei — 二", "<b>three</b>\r\n\r\nevent: control\ndata: {}"]) await write(text);

  const [proxy, pages] = await Promise.all([Proxy.start(process.env.TAILRACE_WORKERD_URL), servePage()]);
  assert.notEqual(pages.origin, proxy.url);
  const browser = await Browser.start(program);
  try {
    const page = await browser.open(`${pages.origin}/?stream=${encodeURIComponent(proxy.url + path)}`);
    const shows = async (state) => {
      const same = (value) => JSON.stringify(value) === JSON.stringify([state, written]);
      return page.until(`[${STATE}, ${MESSAGES}]`, same, LIMIT_MS);
    };
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
    // The page waits before the write, so that nothing but the stream makes it change.
    await sleep(1_000);
    await write("the last", { "stream-closed": "true" });
    await shows("closed");
    // Nothing comes again after the end.
    await sleep(500);
    assert.deepEqual(await page.value(MESSAGES), written);
    assert.ok(proxy.cut >= 3, `${proxy.cut} connections were cut`);
  } finally {
    await browser.stop();
    proxy.stop();
    pages.stop();
  }
});
