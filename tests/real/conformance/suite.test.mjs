// The suite's own command line finds no tests when it is installed from npm, so it is called from here.
import { runConformanceTests } from "@durable-streams/server-conformance-tests";
import * as fc from "fast-check";

const { TAILRACE_URL, TAILRACE_LONG_POLL_MS, TAILRACE_PROPERTY_SEED } = process.env;
if (!TAILRACE_URL) throw new Error("TAILRACE_URL is not set: run `cargo xtask conformance`");

// The same inputs in every run, so that a run that fails fails again. Trying new inputs is the simulator's part.
fc.configureGlobal({ seed: Number(TAILRACE_PROPERTY_SEED ?? 1) });

runConformanceTests({
  baseUrl: TAILRACE_URL,
  longPollTimeoutMs: Number(TAILRACE_LONG_POLL_MS ?? 3000),
  subscriptions: true,
});
