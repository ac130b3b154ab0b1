// One request at the edge. Rust decides; this holds the request's handles, starts the operations that Rust asks for, and
// has Rust go on when one has ended.
//
// Nothing that lives longer than a request refers to it: Rust has it only while it is polled, the maps hold it weakly. So
// a request that the runtime ends without a word is garbage, with its bodies and sockets; its task in Rust follows when
// the map of tasks is swept.

import { Download } from "./download.mjs";
import { Flight, flights } from "./flight.mjs";
import { instance, lose, onLoss } from "./instance.mjs";
import * as rust from "./index.js";
import { pipe } from "./pipe.mjs";
import { INSTANCE_LOST, fieldsOf, plain, respond } from "./reply.mjs";
import { Socket } from "./socket.mjs";
import { MESSAGE_HEADER, failureOf } from "./stub.mjs";
import { Upload } from "./upload.mjs";
import { WeakValues } from "./weak_values.mjs";

// How an operation ended: src/outcome.rs.
const REPLY = 10;
const SOCKET = 11;
const KEPT = 12;
const TIMED_OUT = 21;

// What goes along with a call: src/edge_env.rs.
const BODY = 1;
const WAITING = 2;

const NONE = new Uint8Array();

const picked = rust.pickedHeaders().split("\n").slice(0, -1);

/** The requests whose tasks wait, by the number of the task. */
export const waiting = new WeakValues((task) => rust.drop(task));

onLoss(() => {
  const requests = waiting.values();
  // Their tasks went with the instance, and so did those that fly; the next one counts anew.
  waiting.clear();
  flights.clear();
  for (const request of requests) request.lost();
});

/** Serves a request: its response, or a promise of it. */
export function serve(request, streams, ctx) {
  const io = new EdgeIo(request, streams, ctx);
  io.run();
  return io.response();
}

/** The bindings are in src/io.rs, with what each promises. */
class EdgeIo {
  // What Rust may read of an operation that has ended.
  bytes = NONE;
  header = NONE;
  words = "";

  #request;
  #streams;
  #ctx;
  #upload = null;
  #reply = null;
  #kept = null;
  #flight = null;
  /** Whether the flight is its own, and under way. */
  #flies = false;
  #socket = null;
  #download = null;

  #response = null;
  #resolve = null;
  #operation = null;
  /** Whether it waits for another request's flight, and for nothing of its own. */
  #waitsForAnother = false;
  /** Whether it waits for what comes: its sockets and its flight go with the wasm instance. */
  #isLive = false;
  /** The last call of an object: what it was, and a promise of its outcome. */
  #lastCall = null;
  #settle = null;
  #finish = null;
  #hasEnded = false;
  #task = 0;

  constructor(request, streams, ctx) {
    // An upload that its client breaks off ends here, and is not waited for until it is garbage.
    if (request.body !== null) request.signal.addEventListener("abort", () => this.#leave());
    this.#request = request;
    this.#streams = streams;
    this.#ctx = ctx;
  }

  /** Its response, or a promise of it. */
  response() {
    return this.#response ?? new Promise((resolve) => (this.#resolve = resolve));
  }

  /** Has Rust serve it to its end. */
  async run() {
    try {
      const text = this.#text();
      const hasBody = this.#request.body !== null;
      while (await this.#attempt(text, hasBody));
    } catch (error) {
      lose(error);
    }
    // Clients that still write when an answer comes take it for a broken connection.
    if (this.#response === null && this.#request.body !== null) await this.#body().drain();
    this.#end();
  }

  /**
   * Whether the instance was lost by another request, and this one begins anew: nothing is done twice, since its body is
   * read once, and a call that is under way or has ended is not made again. A reader that waits is let go, and comes back.
   */
  async #attempt(text, hasBody) {
    const current = instance();
    const task = rust.serve(this, text, hasBody);
    if (task === 0) return false;
    waiting.set(task, this);
    this.#task = task;
    for (;;) {
      const outcome = await this.#ended();
      if (outcome === undefined || instance() !== current) return this.#response === null && (this.#waitsForAnother || !this.#isLive);
      if (rust.poll(this, task, outcome)) break;
    }
    waiting.delete(task);
    return false;
  }

  /** Method, URL, and names and values of the picked header fields, each ended by a line feed. */
  #text() {
    const { headers, method, url } = this.#request;
    let text = `${method}\n${url}\n`;
    for (const name of picked) {
      const value = headers.get(name);
      if (value !== null) text += `${name}\n${value}\n`;
    }
    return text;
  }

  /** The outcome of the operation that Rust has started; undefined where the instance is lost meanwhile. */
  #ended() {
    const operation = this.#operation;
    // Rust must not hold, by way of this, what waits for it.
    this.#operation = null;
    return new Promise((resolve) => {
      this.#settle = resolve;
      operation.then(resolve);
    });
  }

  /** The client has gone: unless the request outlives it, the runtime ends it now. */
  #leave() {
    if (this.#isLive || waiting.get(this.#task) !== this) return;
    waiting.delete(this.#task);
    rust.drop(this.#task);
  }

  /** The wasm instance is lost. */
  lost() {
    this.#settle?.(undefined);
  }

  /** The task has ended, perhaps without having said so. */
  #end() {
    this.#hasEnded = true;
    // A flight that has not landed never will.
    if (this.#flies) this.#flight.forget();
    this.closeSocket();
    this.closeDownload();
    this.#answer(INSTANCE_LOST);
    this.#finish?.();
  }

  #start(operation) {
    this.#waitsForAnother = false;
    this.#operation = operation;
  }

  /** The first answer counts. */
  #answer(answer) {
    if (this.#response !== null) return;
    this.#response = answer instanceof Response ? answer : respond(answer);
    this.#resolve?.(this.#response);
  }

  answer(status, fields, body) {
    this.#answer(plain(status, fields, body));
  }

  answerKept() {
    this.#answer(this.#kept);
  }

  passOn() {
    this.#answer(this.#reply);
  }

  open(status, fields) {
    this.#download = new Download();
    this.#answer([status, fields, this.#download.readable]);
  }

  outliveClient() {
    this.#isLive = true;
    this.#ctx.waitUntil(new Promise((resolve) => (this.#finish = resolve)));
  }

  read(limit) {
    this.#start(this.#body().read(limit));
  }

  drain() {
    this.#start(this.#body().drain());
  }

  #body() {
    return (this.#upload ??= new Upload(this.#request));
  }

  call(target, nameLength, along) {
    if (this.#isLive || this.#lastCall?.target !== target) {
      this.#lastCall = { target, outcome: this.#call(target.slice(0, nameLength), target.slice(nameLength), along) };
    }
    this.#start(this.#lastCall.outcome);
  }

  async #call(object, message, along) {
    try {
      const headers = { [MESSAGE_HEADER]: encodeURIComponent(message) };
      if (along === WAITING) headers.upgrade = "websocket";
      const body = along === BODY ? this.#upload.bytes : null;
      const init = { method: body === null ? "GET" : "POST", headers, body };
      const response = await this.#streams.getByName(object).fetch("https://object/", init);
      if (!response.webSocket) {
        this.#reply = response;
        return REPLY;
      }
      this.#socket = new Socket(response.webSocket);
      // Nobody may be there any more to use it.
      if (this.#hasEnded) this.closeSocket();
      return SOCKET;
    } catch (error) {
      this.words = String(error);
      return failureOf(error);
    }
  }

  head() {
    return `${this.#reply.status}\n${fieldsOf(this.#reply)}`;
  }

  keep() {
    this.#start(this.#keep());
  }

  async #keep() {
    const reply = this.#reply;
    try {
      this.#kept = [reply.status, fieldsOf(reply), await bytesOf(reply)];
      return KEPT;
    } catch (error) {
      this.words = String(error);
      return failureOf(error);
    }
  }

  keepOwn(status, fields, body) {
    this.#kept = plain(status, fields, body);
  }

  keptStatus() {
    return this.#kept[0];
  }

  share(key) {
    const flight = flights.get(key);
    this.#flight = flight ?? new Flight(key);
    this.#flies = flight === undefined;
    return this.#flies;
  }

  land() {
    this.#flies = false;
    this.#flight.forget();
    this.#flight.land(this.#kept);
  }

  landing(waitMs) {
    this.#start(new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs, TIMED_OUT);
      this.#flight.landed.then((kept) => {
        clearTimeout(timer);
        this.#kept = kept;
        resolve(KEPT);
      });
    }));
    this.#waitsForAnother = true;
  }

  giveUp() {
    this.#flight.forget();
  }

  sleep(ms) {
    this.#start(new Promise((resolve) => setTimeout(resolve, ms, TIMED_OUT)));
  }

  next(waitMs) {
    this.#start(this.#socket.next(waitMs).then(([outcome, bytes]) => {
      this.bytes = bytes ?? NONE;
      return outcome;
    }));
  }

  push(bytes) {
    return this.#download.push(bytes.slice());
  }

  drained(bufferBytes, waitMs) {
    this.#start(this.#download.drained(bufferBytes, waitMs));
  }

  /** Ends with how many bytes wait for the client. */
  pushReply() {
    this.#start(this.#pushReply());
  }

  async #pushReply() {
    try {
      const bytes = await bytesOf(this.#reply);
      return this.#download.push(bytes ?? NONE);
    } catch (error) {
      this.words = String(error);
      return failureOf(error);
    }
  }

  pipe(prefix, headerLength, bufferBytes, waitMs) {
    const piped = pipe(this.#socket, this.#download, prefix.slice(), headerLength, bufferBytes, waitMs);
    this.#start(piped.then(([outcome, message, header]) => {
      this.bytes = message ?? NONE;
      this.header = header ?? NONE;
      return outcome;
    }));
  }

  closeSocket() {
    this.#socket?.close();
    this.#socket = null;
  }

  closeDownload() {
    this.#download?.close();
    this.#download = null;
  }
}

/** The body of a response, or null where there is none. */
async function bytesOf(response) {
  return response.body === null ? null : new Uint8Array(await response.arrayBuffer());
}
