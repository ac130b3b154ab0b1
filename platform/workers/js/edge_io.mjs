// One request at the edge. Rust decides what happens; this object does it: it holds the request's handles, starts the
// operations that Rust asks for, and polls the request's task in Rust again when one has ended.
//
// A handle is what Rust uses and never looks into: the client's body, an object's reply, a kept answer (complete, as
// plain data), a socket, the body of the answer, a flight (flight.mjs). A request has at most one of each kind at a
// time, and each method here acts on that one.
//
// Nothing that lives longer than a request holds a strong reference to it: Rust has it only while its task is polled,
// and the maps hold it weakly. So a request that the runtime ends without telling us becomes garbage, with its bodies
// and sockets. Its task in Rust is dropped when the map of tasks is swept.

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

/** The requests whose tasks wait, by the number of the task. A task whose request is garbage is dropped. */
export const waiting = new WeakValues((task) => rust.drop(task));

onLoss(() => {
  const requests = waiting.values();
  // All tasks are lost with the instance, those that fly a flight too. The next instance counts its tasks from 1 again.
  waiting.clear();
  flights.clear();
  for (const request of requests) request.lost();
});

/** Serves a request. Returns its response, or a promise of it. */
export function serve(request, streams, ctx) {
  const io = new EdgeIo(request, streams, ctx);
  io.run();
  return io.response();
}

/** The methods that Rust calls are documented where they are bound: src/io.rs. */
class EdgeIo {
  // What Rust may read after an operation has ended.
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
  /** Whether this request has started its flight, and has not landed it yet. */
  #flies = false;
  #socket = null;
  #download = null;

  #response = null;
  #resolve = null;
  #operation = null;
  /** Whether the operation under way waits for the flight of another request. */
  #waitsForAnother = false;
  /** Whether it is a live read, which goes on when its client has gone. */
  #isLive = false;
  /** The last call of an object: its target and message, and a promise of its outcome. */
  #lastCall = null;
  #settle = null;
  #finish = null;
  #hasEnded = false;
  #task = 0;

  constructor(request, streams, ctx) {
    this.#request = request;
    this.#streams = streams;
    this.#ctx = ctx;
  }

  /** The response, or a promise of it. */
  response() {
    return this.#response ?? new Promise((resolve) => (this.#resolve = resolve));
  }

  /** Has Rust serve the request to its end. */
  async run() {
    try {
      const text = this.#text();
      const hasBody = this.#request.body !== null;
      while (await this.#mustBeginAgain(text, hasBody));
    } catch (error) {
      lose(error);
    }
    // A client that gets an answer while it still writes takes its connection for broken.
    if (this.#response === null && this.#request.body !== null) await this.#body().drain();
    this.#end();
  }

  /**
   * Runs a task for the request until it ends. Returns true if something else lost the wasm instance meanwhile, and the
   * request has to begin again with a task of the next instance. Then nothing is done twice: the body is read only
   * once, and a call that was made is not made again. A live read begins again only if it waited for another request's
   * flight; any other is answered with a failure, and its client asks again.
   */
  async #mustBeginAgain(text, hasBody) {
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

  /** The method, the URL, and names and values of the picked header fields in turn, each followed by a line feed. */
  #text() {
    const { headers, method, url } = this.#request;
    let text = `${method}\n${url}\n`;
    for (const name of picked) {
      const value = headers.get(name);
      if (value !== null) text += `${name}\n${value}\n`;
    }
    return text;
  }

  /** A promise of the outcome of the operation that Rust has started; undefined if the instance is lost meanwhile. */
  #ended() {
    const operation = this.#operation;
    // This object must not keep the promise, and with it what waits for it.
    this.#operation = null;
    return new Promise((resolve) => {
      this.#settle = resolve;
      operation.then(resolve);
    });
  }

  /** The client has gone. Unless the request outlives its client, the runtime ends it now, and its task is dropped. */
  #leave() {
    if (this.#isLive || waiting.get(this.#task) !== this) return;
    waiting.delete(this.#task);
    rust.drop(this.#task);
  }

  /** Tells the request that the wasm instance is lost. */
  lost() {
    this.#settle?.(undefined);
  }

  /** The task has ended, or was lost with its instance. */
  #end() {
    this.#hasEnded = true;
    // A flight that has not landed never will: nobody may join it any more.
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

  /** Answers the client, unless it has an answer. */
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

  /** Drops the task as soon as the client has gone, and not only once the request is garbage. */
  watchClient() {
    this.#request.signal.addEventListener("abort", () => this.#leave());
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
      // The request may have ended while the object answered.
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

  /** Its outcome is the number of bytes that wait for the client, or a failure. */
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

/** The body of a response, or null if it has none. */
async function bytesOf(response) {
  return response.body === null ? null : new Uint8Array(await response.arrayBuffer());
}
