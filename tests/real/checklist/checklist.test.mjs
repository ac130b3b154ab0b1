// The checklist of the edge cache (tests/checklist.txt) on the real runtime, whose cache is Miniflare's. Its server has
// pages of PAGE bytes, long-polls of LONG_POLL_MS and connections with events of SSE_MS (ask.mjs).
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import test from "node:test";
import { CHECKS as collapse } from "./collapse.mjs";
import { CHECKS as headers } from "./headers.mjs";
import { CHECKS as notStored } from "./not_stored.mjs";
import { CHECKS as stored } from "./stored.mjs";
import { CHECKS as validity } from "./validity.mjs";

const LINE = /^(\d\d) ([a-z0-9-]+): (.+)$/;
const text = readFileSync(new URL("../../checklist.txt", import.meta.url), "utf8");
const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
const parts = [stored, notStored, headers, collapse, validity];
const checks = Object.assign({}, ...parts);

test("the checklist has the lines 1 to 31, and each has one test here", () => {
  const numbers = lines.map((line) => Number(LINE.exec(line)?.[1]));
  assert.deepEqual(numbers, Array.from({ length: 31 }, (_, index) => index + 1));
  const tested = parts.flatMap((part) => Object.keys(part).map(Number)).sort((one, other) => one - other);
  assert.deepEqual(tested, numbers);
});

// Each waits most of the time, so all run at once.
test("checklist", { concurrency: 8 }, async (suite) => {
  const running = lines.map((line) => {
    const [, number, name] = LINE.exec(line);
    return suite.test(`checklist ${number} ${name}`, checks[Number(number)]);
  });
  await Promise.all(running);
});
