// Requests that the runtime ends because their clients leave, while it still reads their bodies or while they wait.
// Rust and JavaScript must not remember anything of them.
import assert from "node:assert/strict";
import { connect } from "node:net";
import test from "node:test";
import { create, holds, sleep, watch } from "./client.mjs";

const base = new URL(process.env.TAILRACE_WORKERD_URL);
const MIB = 1 << 20;
/** How long a client stays after it has sent what it sends. */
const STAYS_MS = 20;
/** How many such requests are under way at once. */
const AT_ONCE = 32;
/** After this many requests the test waits for the server, which is slower than the clients. */
const ROUND = 250;
/**
 * The most entries that the maps may hold of requests that are gone: the next sweep comes at this number at the latest.
 */
const REMEMBERED = 128;

/** Sends the head of a request and a part of its body, and leaves: it closes the connection, or resets it. */
function breakOff(method, path, headers, bytes, resets) {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(base.port), base.hostname, () => {
      const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
      socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${base.host}\r\n${fields}\r\n`);
      // Later, so that the request has reached the Worker.
      socket.write(bytes, () => setTimeout(() => (resets ? socket.resetAndDestroy() : socket.destroy()), STAYS_MS));
    });
    socket.on("close", resolve);
    socket.on("error", reject);
  });
}

async function many(count, one, atOnce = AT_ONCE) {
  let left = count;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (left > 0) {
      left -= 1;
      await one();
    }
  }));
}

/** What GET /watch tells once at most this many tasks are left, or after ten seconds. */
async function settled(tasks) {
  for (let round = 0; round < 100; round += 1) {
    const seen = await watch();
    if (seen.tasks <= tasks) return seen;
    await sleep(100);
  }
  return watch();
}

for (const [way, resets] of [["in good order", false], ["by a reset", true]]) {
  test(`5,000 appends of 1 MiB that break off half-way ${way} leave memory and maps as before`, async () => {
    const path = await create();
    const half = Buffer.alloc(MIB / 2, 0x61);
    const headers = { "content-type": "text/plain", "content-length": String(MIB) };
    const round = async (atOnce) => {
      await many(ROUND, () => breakOff("POST", path, headers, half, resets), atOnce);
      return settled(0);
    };
    // The first rounds grow the memory of the wasm instance, which never shrinks. More requests are under way at once
    // than in any round that counts.
    for (let rounds = 0; rounds < 3; rounds += 1) await round(2 * AT_ONCE);
    const before = await settled(0);
    let after = before;
    const reached = () => after.exports.serve - before.exports.serve;
    // A reset may overtake the head of its request: a few never reach Rust, and one round more makes up for them.
    for (let rounds = 0; rounds <= 5_000 / ROUND && reached() < 5_000; rounds += 1) after = await round(AT_ONCE);
    const seen = `before ${JSON.stringify(facts(before))}, after ${JSON.stringify(facts(after))}`;
    console.log(seen);
    assert.ok(reached() >= 5_000, `${reached()} requests have reached Rust`);
    assert.deepEqual(facts(after), { ...facts(before), tasks: 0, waiting: 0, flights: 0 }, seen);
    await holds(path, "");
  });
}

test("2,000 readers that go while they wait leave neither tasks nor flights", async () => {
  const path = await create();
  let number = 0;
  const leave = () => {
    number += 1;
    return breakOff("GET", `${path}?offset=-1&live=long-poll&cursor=${number}`, {}, "", number % 2 === 0);
  };
  await many(2_000, leave);
  // The platform lets a request that waits outlive its client by 30 s.
  await sleep(32_000);
  // More requests cause a garbage collection, and a sweep of the maps after it.
  await many(2 * REMEMBERED, leave);
  await sleep(32_000);
  const after = await watch();
  assert.ok(after.exports.serve > 2_000, "each request has reached Rust");
  console.log(`after ${JSON.stringify(facts(after))}`);
  assert.ok(after.tasks <= REMEMBERED && after.flights <= REMEMBERED, JSON.stringify(facts(after)));
});

const facts = ({ memoryBytes, tasks, waiting, flights }) => ({ memoryBytes, tasks, waiting, flights });
