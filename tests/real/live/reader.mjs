// Live readers as clients of the protocol: one that is sent events, and one that polls.
import assert from "node:assert/strict";
import { request } from "node:http";
import { send } from "../workers/client.mjs";
import { Events } from "./events.mjs";

/** Longer than any answer takes except a long-poll's, and than the platform waits before it tries an alarm again. */
const PATIENCE_MS = 15_000;
/** Longer than a long-poll waits: 20 s, and the second in which the server may be late. */
const POLL_LIMIT_MS = 30_000;

const base = process.env.TAILRACE_WORKERD_URL;

/** An SSE connection. It keeps everything that has come, unless a test removes it. */
export class SseReader {
  status;
  headers;
  /** Data that has come, decoded if it was base64. A piece is here once the control event after it has come. */
  data = [];
  /** Control events that have come, parsed. */
  controls = [];
  /** How the connection has ended: "end", or an error. */
  ended = null;
  #events = new Events();
  #pending = null;
  #waiting = [];
  #outgoing;
  #incoming;

  /** Connects. Returns once the head of the response has come. */
  static open(path, { server = base } = {}) {
    const reader = new SseReader();
    return new Promise((resolve, reject) => {
      reader.#outgoing = request(new URL(path, server), { agent: false }, (incoming) => {
        reader.#begin(incoming);
        resolve(reader);
      });
      reader.#outgoing.on("error", (error) => {
        reader.#end(error);
        reject(error);
      });
      reader.#outgoing.end();
    });
  }

  /** Connects at an offset of a stream and waits until the server says that the reader is at the tail. */
  static async at(path, offset, options) {
    const reader = await SseReader.open(`${path}?offset=${offset}&live=sse`, options);
    assert.equal(reader.status, 200);
    assert.equal(reader.headers["content-type"], "text/event-stream");
    await reader.until(() => reader.control?.upToDate === true, "the tail");
    return reader;
  }

  /** The last control event. */
  get control() {
    return this.controls.at(-1);
  }

  /** All data so far, joined. */
  get text() {
    return this.data.join("");
  }

  /** How many comments have come. */
  get comments() {
    return this.#events.comments;
  }

  /** Waits until `holds` is true of what has come. */
  until(holds, what, limitMs = PATIENCE_MS) {
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`waited for ${what}: ${why}; ${this.#describe()}`));
      const timer = setTimeout(() => fail(`not within ${limitMs} ms`), limitMs);
      const look = () => {
        if (!holds()) {
          if (this.ended === null) return false;
          fail(`the connection has ended (${this.ended})`);
        }
        clearTimeout(timer);
        resolve();
        return true;
      };
      if (!look()) this.#waiting.push(look);
    });
  }

  /** Waits until the server has ended the connection without an error. */
  async untilEnd(limitMs = PATIENCE_MS) {
    await this.until(() => this.ended !== null, "the end", limitMs);
    assert.equal(this.ended, "end");
    assert.equal(this.#pending, null, "the last data event has no control event");
  }

  /** Stops reading: what the server sends fills the buffers between the two. */
  stall() {
    this.#incoming.pause();
  }

  /** Goes on reading. */
  resume() {
    this.#incoming.resume();
  }

  /** Goes away. */
  close() {
    this.#outgoing.destroy();
  }

  #begin(incoming) {
    this.#incoming = incoming;
    this.status = incoming.statusCode;
    this.headers = incoming.headers;
    incoming.on("data", (bytes) => {
      try {
        for (const event of this.#events.take(bytes)) this.#take(event);
      } catch (error) {
        this.#end(error);
        this.close();
      }
      this.#look();
    });
    incoming.on("end", () => this.#end("end"));
    incoming.on("error", (error) => this.#end(error));
  }

  #take({ name, data }) {
    assert.ok(name === "data" || name === "control", `no event of the protocol: ${name}`);
    if (name === "data") {
      assert.equal(this.#pending, null, "two data events without a control event between them");
      this.#pending = data;
      return;
    }
    this.controls.push(JSON.parse(data));
    if (this.#pending === null) return;
    const isBinary = this.headers["stream-sse-data-encoding"] === "base64";
    this.data.push(isBinary ? Buffer.from(this.#pending.replaceAll("\n", ""), "base64") : this.#pending);
    this.#pending = null;
  }

  #end(how) {
    this.ended ??= how;
    this.#look();
  }

  #look() {
    this.#waiting = this.#waiting.filter((look) => !look());
  }

  #describe() {
    const data = this.data.map(String).join("|");
    return `status ${this.status}, data ${JSON.stringify(data.slice(-200))}, control ${JSON.stringify(this.control)}`;
  }
}

/** Sends one long-poll. */
export function poll(path, offset, { cursor, ...options } = {}) {
  const suffix = cursor === undefined ? "" : `&cursor=${cursor}`;
  return send("GET", `${path}?offset=${offset}&live=long-poll${suffix}`, { limitMs: POLL_LIMIT_MS, ...options });
}

/** Sends the long-poll that follows an answer. */
export function pollAfter(path, { headers }, options) {
  return poll(path, headers["stream-next-offset"], { cursor: headers["stream-cursor"], ...options });
}

/** The tail's offset. */
export async function tail(path) {
  const { status, headers } = await send("HEAD", path);
  assert.equal(status, 200);
  return headers["stream-next-offset"];
}
