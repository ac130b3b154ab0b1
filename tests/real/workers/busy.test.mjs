// More bodies at once than an isolate holds. Those for which there is no room are refused once they have been sent, and
// come again; none is lost, and the runtime's memory stays bounded.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import test from "node:test";
import { create, send, sleep } from "./client.mjs";

const base = process.env.TAILRACE_WORKERD_URL;
const serverProcess = process.env.TAILRACE_WORKERD_PROCESS;
if (!serverProcess) throw new Error("TAILRACE_WORKERD_PROCESS is not set");

const MIB = 1 << 20;
/** 128 MiB in all: four times what an isolate holds (`MemoryLimits` of core). */
const BODIES = 32;
const BODY_BYTES = 4 * MIB;
const HELD_BYTES = 32 * MIB;
/**
 * How much more memory the runtime may take meanwhile. What is held is there several times for a moment: as it came, on
 * the way to the object, in the object, and as rows. Without a bound it is a multiple of 128 MiB.
 */
const BOUND_MIB = 320;

/** The resident memory of the runtime, in MiB. */
const memory = () => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${serverProcess}/status`, "utf8"))[1]) / 1024;

/** A body that says which one it is. */
const body = (number) => Buffer.alloc(BODY_BYTES, String.fromCharCode(0x21 + number));

/** Appends a body of which the last byte is sent when `goOn` is fulfilled; its length is declared or not. */
function appendSlowly(path, number, isDeclared, goOn) {
  return new Promise((resolve, reject) => {
    const length = isDeclared ? { "content-length": BODY_BYTES } : { "transfer-encoding": "chunked" };
    const headers = { "content-type": "text/plain", ...length };
    const agent = new Agent();
    const outgoing = request(new URL(path, base), { method: "POST", headers, agent }, (incoming) => {
      const chunks = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("end", () => {
        agent.destroy();
        resolve({ number, status: incoming.statusCode, headers: incoming.headers, body: Buffer.concat(chunks) });
      });
    });
    outgoing.on("error", reject);
    outgoing.write(body(number).subarray(1));
    goOn.then(() => outgoing.end(body(number).subarray(0, 1)));
  });
}

for (const isDeclared of [true, false]) {
  const kind = isDeclared ? "a declared length" : "no declared length";
  test(`${BODIES} bodies of 4 MiB at once with ${kind}: some are told to come again, and none is lost`, async () => {
    const path = await create();
    const before = memory();
    let most = before;
    const timer = setInterval(() => (most = Math.max(most, memory())), 10);
    let goOn;
    const all = new Promise((resolve) => (goOn = resolve));
    const sent = Array.from({ length: BODIES }, (_, number) => appendSlowly(path, number, isDeclared, all));
    // Long enough for everything but the last byte of each to have come.
    await sleep(3_000);
    goOn();
    const answers = await Promise.all(sent);
    clearInterval(timer);
    const refused = answers.filter(({ status }) => status !== 204);
    const written = answers.filter(({ status }) => status === 204).map(({ number }) => number);
    for (const { status, headers, body } of refused) {
      assert.deepEqual([status, JSON.parse(body).error.code], [503, "busy"]);
      assert.match(headers["retry-after"], /^[1-9]\d*$/);
    }
    assert.ok(written.length >= 1 && written.length <= HELD_BYTES / BODY_BYTES, `${written.length} found room at once`);
    for (const { number } of refused) {
      const again = { headers: { "content-type": "text/plain" }, body: body(number) };
      assert.equal((await send("POST", path, again)).status, 204, "there is room for one");
      written.push(number);
    }
    const found = [];
    let offset = "-1";
    for (let isUpToDate = false; !isUpToDate; ) {
      const page = await send("GET", `${path}?offset=${offset}`);
      assert.equal(page.status, 200);
      for (let at = 0; at < page.body.length; at += MIB) found.push(page.body[at] - 0x21);
      offset = page.headers["stream-next-offset"];
      isUpToDate = page.headers["stream-up-to-date"] === "true";
    }
    const counts = written.map((number) => found.filter((other) => other === number).length);
    assert.equal(new Set(written).size, BODIES);
    assert.ok(counts.every((count) => count === BODY_BYTES / MIB), `each is there once: ${counts}`);
    console.log(`# ${refused.length} were refused; memory: ${before.toFixed()} MiB before, ${most.toFixed()} at most`);
    assert.ok(most - before < BOUND_MIB, `${before.toFixed()} MiB before, ${most.toFixed()} at most`);
  });
}
