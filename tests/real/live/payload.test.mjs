// Payloads as Server-Sent Events: no text forges an event, and every byte arrives.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { fresh, send, sleep } from "../workers/client.mjs";
import { untilAsleep } from "./instance.mjs";
import { SseReader, tail } from "./reader.mjs";

const FORGED = 'event: control\ndata: {"streamNextOffset":"9","streamClosed":true}';

/**
 * Text that could be mistaken for fields of the format. It must arrive with its line ends as LF, and else unchanged.
 */
const TEXTS = [
  ["a control event behind line feeds", `a\n\n${FORGED}\n\nb`],
  ["a control event behind carriage returns", `a\r\r${FORGED.replaceAll("\n", "\r")}\r\rb`],
  ["a control event behind both", `a\r\n\r\n${FORGED.replaceAll("\n", "\r\n")}\r\n\r\nb`],
  ["an end of data and a comment", "data: x\n:comment\nid: 7\nretry: 1\n"],
  ["line ends alone", "\n\r\n\r\r\n\n"],
  ["one line feed", "\n"],
  ["one carriage return", "\r"],
  ["a space before each line", " a\n  b\n \n"],
  ["a line without a colon", "data"],
  ["a byte order mark, a zero and a separator", "\ufeffa\u0000b\u2028c\u0085d"],
  ["letters of four bytes", "𝄞".repeat(1000)],
];

const mapped = (text) => text.replaceAll(/\r\n|\r/g, "\n");

async function put(type) {
  const path = fresh();
  assert.equal((await send("PUT", path, { headers: { "content-type": type } })).status, 201);
  return path;
}

async function post(path, type, body) {
  assert.equal((await send("POST", path, { headers: { "content-type": type }, body })).status, 204);
}

/** Appends while one reader waits, and has another read from the beginning. Returns both once they are at the tail. */
async function readBoth(path, type, body) {
  const live = await SseReader.at(path, await tail(path));
  await post(path, type, body);
  const end = await tail(path);
  await live.until(() => live.control.streamNextOffset === end, "the write");
  const late = await SseReader.at(path, "-1");
  for (const reader of [live, late]) {
    assert.equal(reader.control.streamNextOffset, end);
    assert.notEqual(reader.control.streamClosed, true);
    assert.equal(reader.ended, null);
    reader.close();
  }
  return [live, late];
}

describe("a payload in server-sent events", { concurrency: true }, () => {
  for (const [what, text] of TEXTS) {
    test(`${what}: text arrives as it is, and forges nothing`, async () => {
      const path = await put("text/plain");
      for (const reader of await readBoth(path, "text/plain", text)) assert.equal(reader.text, mapped(text));
    });
  }

  test("JSON with line ends between its tokens is the same JSON", async () => {
    const path = await put("application/json");
    const body = `[{"a":\r\n1,\r"b":\n"\\r\\n\\n${JSON.stringify(FORGED).slice(1, -1)}"},\n\n2]`;
    for (const reader of await readBoth(path, "application/json", body)) {
      assert.deepEqual(reader.data.flatMap((data) => JSON.parse(data)), JSON.parse(body));
    }
  });

  test("bytes arrive in base64, whatever they are", async () => {
    const path = await put("application/octet-stream");
    const body = randomBytes(100_001);
    for (const reader of await readBoth(path, "application/octet-stream", body)) {
      assert.equal(reader.headers["stream-sse-data-encoding"], "base64");
      assert.ok(Buffer.concat(reader.data).equals(body));
    }
  });

  test("letters that lie across the ends of pages are whole", async () => {
    const path = await put("text/plain");
    // Letters of three bytes after a letter of one byte: no letter ends at the end of a page.
    const text = `a${"€".repeat(1 << 20)}`;
    await post(path, "text/plain", text);
    const reader = await SseReader.at(path, "-1");
    assert.ok(reader.data.length > 1, "one page held it all");
    assert.ok(reader.text === text);
    reader.close();
  });

  test("a letter in two appends is whole for a reader that comes later", async () => {
    const path = await put("text/plain");
    const bytes = Buffer.from("a€b");
    await post(path, "text/plain", bytes.subarray(0, 2));
    await post(path, "text/plain", bytes.subarray(2));
    const reader = await SseReader.at(path, "-1");
    assert.equal(reader.text, "a€b");
    reader.close();
  });

  test("a letter and a line end in several appends are whole for readers that wait, also while the object sleeps", async () => {
    const path = await put("text/plain");
    const reader = await SseReader.at(path, "-1");
    const position = () => Number(reader.control.streamNextOffset.slice(17));
    const text = Buffer.from("a€\r\n😀\r\nb");
    // Before what is held back, the reader stands where the letter begins.
    const expected = [1, 1, 1, 4, 5, 6, 6, 6, 6, 10, 11, 12, 13];
    for (const [at, byte] of text.entries()) {
      await post(path, "text/plain", Buffer.from([byte]));
      // Now and then the object has forgotten what it knew.
      if (at === 2 || at === 5) await untilAsleep();
      for (let waits = 0; waits < 100 && position() < expected[at]; waits += 1) await sleep(20);
      // What comes too early, comes soon.
      await sleep(50);
      assert.equal(position(), expected[at], `after byte ${at}`);
      assert.equal(reader.control.upToDate, true);
    }
    assert.equal(reader.text, "a€\n😀\nb");
    const inside = await SseReader.at(path, (await tail(path)).replace(/13$/, "02"));
    assert.equal(inside.text, "\ufffd\ufffd\n😀\nb");
    for (const one of [reader, inside]) one.close();
  });

  test("bytes that are no UTF-8 are marked as such", async () => {
    const path = await put("text/plain");
    const body = Buffer.from([0x61, 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x62]);
    for (const reader of await readBoth(path, "text/plain", body)) assert.equal(reader.text, body.toString());
  });
});
