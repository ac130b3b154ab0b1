// Writes one line of JSON for every test when it ends, for `cargo xtask conformance` to read. Shows progress, one line
// for each group.
import { appendFileSync, writeFileSync } from "node:fs";

const output = process.env.TAILRACE_RESULTS;

function ancestors(test) {
  const names = [];
  for (let suite = test.parent; suite?.type === "suite"; suite = suite.parent) names.unshift(suite.name);
  return names;
}

export default class Reporter {
  #group;
  #start;
  #count = 0;

  onInit() {
    if (!output) throw new Error("TAILRACE_RESULTS is not set: run `cargo xtask conformance`");
    writeFileSync(output, "");
  }

  onTestCaseResult(test) {
    const result = test.result();
    const path = [...ancestors(test), test.name];
    if (result.state !== "skipped") this.#progress(path[0]);
    const record = {
      path,
      state: result.state,
      ms: Math.round(test.diagnostic()?.duration ?? 0),
      error: result.errors?.[0]?.message ?? null,
    };
    appendFileSync(output, JSON.stringify(record) + "\n");
  }

  onTestRunEnd(modules, errors) {
    this.#progress(undefined);
    for (const error of [...errors, ...modules.flatMap((module) => [...module.errors()])]) {
      console.error(error.stack ?? error.message);
    }
  }

  #progress(group) {
    if (group === this.#group) {
      this.#count++;
      return;
    }
    if (this.#group !== undefined) {
      const seconds = ((Date.now() - this.#start) / 1000).toFixed(1);
      console.error(`  ${this.#group}: ${this.#count} tests, ${seconds} s`);
    }
    this.#group = group;
    this.#start = Date.now();
    this.#count = 1;
  }
}
