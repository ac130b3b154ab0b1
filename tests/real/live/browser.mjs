// Chromium without a window, driven over a pipe by the DevTools protocol: messages of JSON, each followed by a zero
// byte.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe",
];
/** Starting a browser on a busy machine takes seconds. */
const CALL_LIMIT_MS = 30_000;

export class Browser {
  #child;
  #folder;
  #last = 0;
  #calls = new Map();
  #hears = new Map();
  #messages = "";
  #decoder = new TextDecoder();

  /** Starts the program with an empty profile. */
  static async start(program) {
    const browser = new Browser();
    browser.#folder = await mkdtemp(join(tmpdir(), "tailrace-browser-"));
    const flags = [...FLAGS, `--user-data-dir=${browser.#folder}`, "about:blank"];
    // Its error output is ignored: it complains about desktop services that are not there.
    browser.#child = spawn(program, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    browser.#child.on("error", (error) => browser.#fail(error));
    browser.#child.on("exit", (code) => browser.#fail(new Error(`the browser has ended with ${code}`)));
    browser.#child.stdio[3].on("error", (error) => browser.#fail(error));
    browser.#child.stdio[4].on("data", (bytes) => browser.#receive(bytes));
    await browser.#call("Browser.getVersion");
    return browser;
  }

  /** Opens a page. `hears` is told of its events, once their domains are enabled. */
  async open(url, hears = () => {}) {
    const { targetId } = await this.#call("Target.createTarget", { url });
    const { sessionId } = await this.#call("Target.attachToTarget", { targetId, flatten: true });
    this.#hears.set(sessionId, hears);
    return new Page((method, params) => this.#call(method, params, sessionId));
  }

  /** Ends the browser, and removes its profile. */
  async stop() {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#call("Browser.close").catch(() => {});
    await Promise.race([ended, sleep(3_000)]);
    this.#child.kill("SIGKILL");
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #call(method, params = {}, sessionId = undefined) {
    this.#last += 1;
    const id = this.#last;
    this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the browser does not answer ${method}`)), CALL_LIMIT_MS);
      const settle = (how) => (value) => {
        clearTimeout(timer);
        how(value);
      };
      this.#calls.set(id, { resolve: settle(resolve), reject: settle(reject) });
    });
  }

  #receive(bytes) {
    const parts = (this.#messages + this.#decoder.decode(bytes, { stream: true })).split("\0");
    this.#messages = parts.pop();
    for (const part of parts) {
      const { id, result, error, method, params, sessionId } = JSON.parse(part);
      if (method) this.#hears.get(sessionId)?.(method, params);
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (error) call?.reject(new Error(error.message));
      else call?.resolve(result);
    }
  }

  #fail(error) {
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }
}

class Page {
  /** Calls a method of the DevTools protocol. */
  call;

  constructor(call) {
    this.call = call;
  }

  /** The value of an expression in the page; of a promise, what it is fulfilled with. */
  async value(expression) {
    const how = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", how);
    if (exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  }

  /** Waits until the value of an expression is accepted. Returns how long that took, in ms. */
  async until(expression, accepts, limitMs) {
    const start = performance.now();
    for (;;) {
      const value = await this.value(expression);
      const tookMs = performance.now() - start;
      if (accepts(value)) return tookMs;
      if (tookMs > limitMs) throw new Error(`${expression} is ${JSON.stringify(value)} after ${limitMs} ms`);
      await sleep(20);
    }
  }
}
