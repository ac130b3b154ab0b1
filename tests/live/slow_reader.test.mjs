// Readers that stop reading while much is written, and then go on. The server is one that nothing else uses: its memory
// is measured.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { append, create, fresh } from "../workers/client.mjs";
import { SseReader, sleep, tail } from "./reader.mjs";

const server = process.env.TAILRACE_ALONE_URL;
const serverProcess = process.env.TAILRACE_ALONE_PROCESS;
if (!server || !serverProcess) throw new Error("TAILRACE_ALONE_URL and TAILRACE_ALONE_PROCESS are not set");

/** 50 MiB in all, in messages small enough to be pushed to waiting readers, not only announced. */
const MESSAGE_BYTES = 64 << 10;
const MESSAGES = 800;
const STALLED = 4;
const STALL_MS = 30_000;
/** Many times what it takes to write all. */
const LIVE_LIMIT_MS = 30_000;
/**
 * How much more memory the server may take while readers stall than it took for the same writes without any reader. A
 * server that keeps what they do not read takes 200 MiB, all messages for each; one that bounds each reader's buffer
 * takes some pages of 1 MiB for each. What is between is left to the garbage collector.
 */
const BOUND_MIB = 64;

/** The resident memory of the server, in MiB. */
function memory() {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${serverProcess}/status`, "utf8"));
  return Number(line[1]) / 1024;
}

/** The most memory that the server has while something is done. */
async function peak(work) {
  let most = memory();
  const timer = setInterval(() => (most = Math.max(most, memory())), 20);
  await work();
  clearInterval(timer);
  return most;
}

/** A message of lines, which tell where they belong. */
function message(index) {
  const line = (number) => `message ${index}, line ${number}: ${"x".repeat(900)}\n`;
  const lines = Array.from({ length: Math.ceil(MESSAGE_BYTES / line(0).length) }, (_, number) => line(number));
  return lines.join("").slice(0, MESSAGE_BYTES);
}

const messages = Array.from({ length: MESSAGES }, (_, index) => message(index));
const everything = messages.join("");

async function writeAll(path) {
  for (const text of messages) assert.equal((await append(path, text)).status, 204);
}

/** Reads on to this offset, over as many connections as the server likes, and checks each piece as it comes. */
async function readOn(reader, path, end) {
  let current = reader;
  let read = 0;
  for (;;) {
    await current.until(() => current.ended !== null || current.control.streamNextOffset === end, "the tail", 60_000);
    for (const piece of current.data.splice(0)) {
      assert.ok(everything.startsWith(piece, read), `something else was written at ${read}`);
      read += piece.length;
    }
    const { streamNextOffset } = current.control;
    current.close();
    if (streamNextOffset === end) break;
    current = await SseReader.open(`${path}?offset=${streamNextOffset}&live=sse`, { server });
    assert.equal(current.status, 200);
    await current.until(() => current.control !== undefined, "a control event");
  }
  assert.equal(read, everything.length);
}

test(`${STALLED} readers that stop reading for a while cost no memory and nobody's time, and miss nothing`, async () => {
  const url = () => new URL(fresh(), server).href;
  const without = await peak(async () => writeAll(await create(url())));

  const path = await create(url());
  const start = await tail(path);
  const stalled = await Promise.all(Array.from({ length: STALLED }, () => SseReader.at(path, start, { server })));
  const live = await SseReader.at(path, start, { server });
  stalled.forEach((reader) => reader.stall());
  const stalledAt = performance.now();
  let end;
  const during = await peak(async () => {
    await writeAll(path);
    end = await tail(path);
    await live.until(() => live.control.streamNextOffset === end, "all that was written", LIVE_LIMIT_MS);
    assert.ok(live.text === everything, "a reader beside the stalled ones has read something else");
    live.close();
    await sleep(STALL_MS - (performance.now() - stalledAt));
  });
  const after = await peak(async () => {
    stalled.forEach((reader) => reader.resume());
    await Promise.all(stalled.map((reader) => readOn(reader, path, end)));
  });

  const [calm, stalling, going] = [without, during, after].map((mib) => mib.toFixed());
  const figures = `${calm} MiB without readers, ${stalling} with stalled ones, ${going} as they go on`;
  console.log(`# memory: ${figures}`);
  assert.ok(Math.max(during, after) - without < BOUND_MIB, figures);
});
