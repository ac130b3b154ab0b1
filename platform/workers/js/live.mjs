// Live reads at the edge. What happens when, and what is written, is decided in Rust; this holds the socket to the
// object and the body of the client, pipes the one into the other, and keeps the map of flights.

import { instance, lose, nextCall, outcomeOf, settle } from "./instance.mjs";
import * as rust from "./index.js";
import { INSTANCE_LOST, respond } from "./reply.mjs";
import { MESSAGE_HEADER, failureOf } from "./stub.mjs";

// How an operation ended: src/live.rs.
const ANSWER = 10;
const SOCKET = 11;
const MESSAGE = 20;
const TIMED_OUT = 21;
const OVERFLOW = 22;
const GONE = 23;
const CLOSED = 24;
const TAKEN = 30;
const STALLED = 31;

const NONE = new Uint8Array();

/** The first status that is a refusal. */
const REFUSED = 400;

/** Flights of this isolate: a promise of a reply, by what identical requests have in common. */
const flights = new Map();

/** Answers a live read. */
export async function answerLive(plan, streams, ctx) {
  if (plan.sse) return respond(await listen(plan, streams, ctx));
  return respond(await (plan.shares ? share(plan, streams, ctx) : fly(plan, streams, ctx)));
}

/** Opens a connection with events; it goes on after the answer. */
function listen(plan, streams, ctx) {
  return new Promise((resolve) => {
    const io = new LiveIo(streams, resolve);
    // What is waited for ends soon after its client has gone, and is cleaned up only then.
    ctx.waitUntil(run(io, () => rust.LiveTask.sse(io, plan.object, plan.message)));
  });
}

/** Takes part in a flight, or begins it. */
async function share(plan, streams, ctx) {
  for (let again = false; ; again = true) {
    let flight = flights.get(plan.target);
    const joined = flight !== undefined;
    if (!joined) {
      flight = fly(plan, streams, ctx).finally(() => forget(plan.target, flight));
      flights.set(plan.target, flight);
    }
    const reply = joined ? await within(plan.limitMs, flight) : await flight;
    // The request of a flight may have been ended without a word.
    if (reply === undefined) forget(plan.target, flight);
    // A refusal of another's flight may be older than this request, or may have been its own request's alone.
    else if (!joined || again || reply[0] < REFUSED) return reply;
    if (again) return INSTANCE_LOST;
  }
}

function forget(target, flight) {
  if (flights.get(target) === flight) flights.delete(target);
}

/** The flight of a long-poll: never fails, and outlives the request that began it. */
function fly(plan, streams, ctx) {
  return new Promise((resolve) => {
    const io = new LiveIo(streams, resolve);
    ctx.waitUntil(run(io, () => rust.LiveTask.longPoll(io, plan.object, plan.message)));
  });
}

/** What a promise becomes, or undefined if that takes too long. */
async function within(limitMs, promise) {
  let timer;
  const limit = new Promise((resolve) => (timer = setTimeout(resolve, limitMs)));
  const outcome = await Promise.race([promise, limit]);
  clearTimeout(timer);
  return outcome;
}

/** Polls a task of Rust to its end. Where the instance is lost, the task ends with it. */
async function run(io, start) {
  try {
    instance();
    const task = start();
    while (!task.poll()) {
      const call = nextCall();
      const ended = outcomeOf(call);
      io.operation.then((outcome) => settle(call, outcome));
      const outcome = await ended;
      if (outcome === undefined) return;
      io.outcome = outcome;
    }
    task.free();
  } catch (error) {
    lose(error);
  } finally {
    io.end();
  }
}

/** The bindings are in src/io.rs, with what each promises. */
class LiveIo {
  operation = null;
  outcome = 0;
  status = 0;
  fields = "";
  bytes = NONE;
  header = NONE;
  #streams;
  #answer;
  #socket = null;
  #body = null;
  #ended = false;

  /** `answer` takes the first of the replies that it is given. */
  constructor(streams, answer) {
    this.#streams = streams;
    this.#answer = answer;
  }

  answer(status, fields, body) {
    this.#answer([status, fields, body.length > 0 ? body.slice() : null]);
  }

  open(status, fields) {
    this.#body = new Body();
    this.#answer([status, fields, this.#body.readable]);
  }

  connect(object, message) {
    this.operation = this.#connect(object, message);
  }

  next(waitMs) {
    this.operation = this.#socket.next(waitMs).then(([outcome, bytes]) => {
      this.bytes = bytes;
      return outcome;
    });
  }

  write(bytes, bufferBytes, waitMs) {
    this.operation = this.#body.write(bytes.slice(), bufferBytes, waitMs);
  }

  pipe(prefix, headerLength, bufferBytes, waitMs) {
    this.header = NONE;
    this.operation = this.#pipe(prefix.slice(), headerLength, bufferBytes, waitMs);
  }

  sleep(ms) {
    this.operation = new Promise((resolve) => setTimeout(resolve, ms, TIMED_OUT));
  }

  closeSocket() {
    this.#socket?.close();
    this.#socket = null;
  }

  closeBody() {
    this.#body?.close();
    this.#body = null;
  }

  /** The task has ended, perhaps without having said so. */
  end() {
    this.#ended = true;
    this.closeSocket();
    this.closeBody();
    this.#answer(INSTANCE_LOST);
  }

  async #connect(object, message) {
    try {
      const headers = { upgrade: "websocket", [MESSAGE_HEADER]: encodeURIComponent(message) };
      const response = await this.#streams.getByName(object).fetch("https://object/", { headers });
      if (response.webSocket) {
        this.#socket = new Socket(response.webSocket);
        // Nobody may be there any more to use it.
        if (this.#ended) this.closeSocket();
        return SOCKET;
      }
      let fields = "";
      for (const [name, value] of response.headers) fields += `${name}\n${value}\n`;
      this.status = response.status;
      this.fields = fields;
      this.bytes = new Uint8Array(await response.arrayBuffer());
      return ANSWER;
    } catch (error) {
      this.fields = String(error);
      return failureOf(error);
    }
  }

  #pipe(prefix, headerLength, bufferBytes, waitMs) {
    const socket = this.#socket;
    const body = this.#body;
    return new Promise((resolve) => {
      const end = (outcome) => {
        clearTimeout(timer);
        socket.listener = null;
        body.listener = null;
        resolve(outcome);
      };
      const timer = setTimeout(end, waitMs, TIMED_OUT);
      body.listener = () => {
        if (body.gone) end(GONE);
      };
      socket.listener = () => {
        for (let bytes = socket.take(); bytes !== undefined; bytes = socket.take()) {
          if (!startsWith(bytes, prefix)) {
            this.bytes = bytes;
            return end(MESSAGE);
          }
          this.header = bytes.subarray(0, headerLength);
          body.push(bytes.subarray(headerLength));
          if (body.gone) return end(GONE);
          if (body.waiting > bufferBytes) return end(OVERFLOW);
        }
        if (socket.closed) end(CLOSED);
      };
      if (body.gone) end(GONE);
      else socket.listener();
    });
  }
}

function startsWith(bytes, prefix) {
  for (let index = 0; index < prefix.length; index += 1) {
    if (bytes[index] !== prefix[index]) return false;
  }
  return true;
}

/** The edge's end of a socket: keeps what arrives until it is taken, and tells its listener of it. */
class Socket {
  listener = null;
  closed = false;
  #socket;
  #arrived = [];

  constructor(socket) {
    this.#socket = socket;
    // Without this, binary messages would never arrive.
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event) => {
      this.#arrived.push(new Uint8Array(event.data));
      this.listener?.();
    });
    const closed = () => {
      this.closed = true;
      this.listener?.();
    };
    socket.addEventListener("close", closed);
    socket.addEventListener("error", closed);
    socket.accept();
  }

  take() {
    return this.#arrived.shift();
  }

  next(waitMs) {
    return new Promise((resolve) => {
      const end = (outcome, bytes) => {
        clearTimeout(timer);
        this.listener = null;
        resolve([outcome, bytes]);
      };
      const timer = setTimeout(end, waitMs, TIMED_OUT, NONE);
      this.listener = () => {
        const bytes = this.take();
        if (bytes !== undefined) end(MESSAGE, bytes);
        else if (this.closed) end(CLOSED, NONE);
      };
      this.listener();
    });
  }

  close() {
    try {
      this.#socket.close(1000, "");
    } catch {
      // It is closed already.
    }
  }
}

/** A body that is written while its client reads: counts what waits, and tells its listener what becomes of it. */
class Body {
  readable;
  listener = null;
  waiting = 0;
  gone = false;
  #writer;

  constructor() {
    const { readable, writable } = new IdentityTransformStream();
    this.readable = readable;
    this.#writer = writable.getWriter();
  }

  push(bytes) {
    const { length } = bytes;
    this.waiting += length;
    this.#writer.write(bytes).then(
      () => {
        this.waiting -= length;
        this.listener?.();
      },
      () => {
        this.gone = true;
        this.listener?.();
      },
    );
  }

  write(bytes, bufferBytes, waitMs) {
    if (bytes.length > 0 && !this.gone) this.push(bytes);
    return new Promise((resolve) => {
      const end = (outcome) => {
        clearTimeout(timer);
        this.listener = null;
        resolve(outcome);
      };
      const timer = setTimeout(end, waitMs, STALLED);
      this.listener = () => {
        if (this.gone) end(GONE);
        else if (this.waiting <= bufferBytes) end(TAKEN);
      };
      this.listener();
    });
  }

  close() {
    this.#writer.close().catch(() => {
      // Its client is gone.
    });
  }
}
