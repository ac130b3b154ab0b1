// Requests that end without a word: their clients go while the runtime still reads their bodies, or while they wait. What
// Rust and JavaScript remember of them goes, too.
import assert from "node:assert/strict";
import { connect } from "node:net";
import test from "node:test";
import { create, holds, sleep, watch } from "./client.mjs";

const base = new URL(process.env.TAILRACE_WORKERD_URL);
const MIB = 1 << 20;
/** How many such requests are under way at once. */
const AT_ONCE = 32;
/** What the maps may hold of requests that are gone: they are looked for again once there are as many. */
const REMEMBERED = 512;

/** Sends the head of a request and a part of its body, and goes. */
function breakOff(method, path, headers, bytes) {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(base.port), base.hostname, () => {
      const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
      socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${base.host}\r\n${fields}\r\n`);
      socket.write(bytes, () => socket.destroy());
    });
    socket.on("close", resolve);
    socket.on("error", reject);
  });
}

async function many(count, one) {
  let left = count;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left > 0) {
      left -= 1;
      await one();
    }
  }));
}

/** What is remembered once requests that ended are looked for. */
async function settled(path) {
  // A garbage collection comes with work, and so does a look.
  for (let round = 0; round < 20; round += 1) {
    await many(200, () => breakOff("GET", `${path}?offset=now&live=long-poll`, {}, ""));
    await sleep(200);
    const seen = await watch();
    if (seen.tasks <= REMEMBERED) return seen;
  }
  return watch();
}

test("10,000 appends of 1 MiB that break off half-way leave memory and maps as before", async () => {
  const path = await create();
  const half = Buffer.alloc(MIB / 2, 0x61);
  const headers = { "content-type": "text/plain", "content-length": String(MIB) };
  const aborted = () => breakOff("POST", path, headers, half);
  await many(500, aborted);
  await sleep(500);
  const before = await watch();
  await many(10_000, aborted);
  await sleep(1_000);
  const after = await watch();
  console.log("before", JSON.stringify(facts(before)), "after", JSON.stringify(facts(after)));
  assert.ok(after.tasks <= REMEMBERED && after.waiting <= REMEMBERED, JSON.stringify(facts(after)));
  assert.equal(after.memoryBytes, before.memoryBytes);
  await holds(path, "");
});

test("2,000 readers that go while they wait leave neither tasks nor flights", async () => {
  const path = await create();
  let number = 0;
  await many(2_000, () => {
    number += 1;
    return breakOff("GET", `${path}?offset=-1&live=long-poll&cursor=${number}`, {}, "");
  });
  // The platform lets a request that waits outlive its client by 30 s.
  await sleep(32_000);
  const after = await settled(path);
  console.log("after", JSON.stringify(facts(after)));
  assert.ok(after.tasks <= REMEMBERED && after.flights <= REMEMBERED, JSON.stringify(facts(after)));
});

const facts = ({ memoryBytes, tasks, waiting, flights }) => ({ memoryBytes, tasks, waiting, flights });
