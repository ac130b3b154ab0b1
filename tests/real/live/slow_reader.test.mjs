// Readers stop reading while much is written, and then go on. No other test uses this server, since its memory is
// measured.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { append, create, fresh, sleep } from "../workers/client.mjs";
import { SseReader, tail } from "./reader.mjs";

const server = process.env.TAILRACE_ALONE_URL;
const serverProcess = process.env.TAILRACE_ALONE_PROCESS;
if (!server || !serverProcess) throw new Error("TAILRACE_ALONE_URL and TAILRACE_ALONE_PROCESS are not set");

/** 50 MiB in all, in messages that are small enough to be pushed to waiting readers and not only announced. */
const MESSAGE_BYTES = 64 << 10;
const MESSAGES = 800;
const READERS = 8;
const STALL_MS = 30_000;
/** Many times what it takes to write everything. */
const LIVE_LIMIT_MS = 30_000;
/**
 * How much more memory the server may take for readers that stall than for as many that come when all is written. A
 * server that keeps what they do not read takes 400 MiB, all messages for each. One that bounds what it keeps takes a
 * few MiB for each: up to 1 MiB that waits to be taken, what of it is under way in another form, and a page of the log.
 * The rest is left to the garbage collector, whose heaps grow and shrink by tens of MiB.
 */
const BOUND_MIB = 128;

/** The resident memory of the server, in MiB. */
function memory() {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${serverProcess}/status`, "utf8"));
  return Number(line[1]) / 1024;
}

/** The most memory that the server has while `work` is done, in MiB. */
async function peak(work) {
  let most = memory();
  const timer = setInterval(() => (most = Math.max(most, memory())), 20);
  await work();
  clearInterval(timer);
  return most;
}

/** A message of lines, each of which says which message and line it is. */
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
    const isThere = () => current.ended !== null || current.control?.streamNextOffset === end;
    await current.until(isThere, "the tail", 60_000);
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

/**
 * Writes everything while one reader reads it as it comes. Others read it too: they wait from the beginning and stall,
 * or come afterwards. Returns the most memory that the server had, in MiB.
 */
async function run(stalls) {
  const path = await create(new URL(fresh(), server).href);
  const start = await tail(path);
  const address = `${path}?offset=${start}&live=sse`;
  const join = () => Array.from({ length: READERS }, () => SseReader.open(address, { server }));
  const stalled = stalls ? await Promise.all(join()) : [];
  await Promise.all(stalled.map((reader) => reader.until(() => reader.control?.upToDate, "the tail")));
  const live = await SseReader.at(path, start, { server });
  return peak(async () => {
    const startMs = performance.now();
    stalled.forEach((reader) => reader.stall());
    await writeAll(path);
    const end = await tail(path);
    await live.until(() => live.control.streamNextOffset === end, "all that was written", LIVE_LIMIT_MS);
    assert.ok(live.text === everything, "a reader beside the stalled ones has read something else");
    live.close();
    if (stalls) await sleep(STALL_MS - (performance.now() - startMs));
    assert.ok(stalled.every((reader) => reader.text.length < everything.length), "nobody has stalled");
    stalled.forEach((reader) => reader.resume());
    const readers = stalls ? stalled : await Promise.all(join());
    await Promise.all(readers.map((reader) => readOn(reader, path, end)));
  });
}

test(`${READERS} readers that stop reading for a while cost no memory and nobody's time, and miss nothing`, async () => {
  // Runs first, so that the server then has the memory that such work takes.
  const late = await run(false);
  const stalling = await run(true);
  const figures = `${late.toFixed()} MiB for readers that come late, ${stalling.toFixed()} MiB for those that stall`;
  console.log(`# memory: ${figures}`);
  assert.ok(stalling - late < BOUND_MIB, figures);
});
