// One request at the edge: what it has for as long as it lasts, whatever becomes of the wasm instance.
//
// A request is served by a task in Rust, which has handles and operations of its own (edge_io.mjs). If the instance is
// lost, so is the task, and a task of the next instance serves the request anew. Then the body goes on being read, and
// the last call goes on; what follows from that is decided in Rust.
//
// Nothing that lives longer than a request holds a strong reference to it, but a flight that it has joined, for as long
// as that goes on: Rust has it only while its task is polled, and the maps hold it weakly. So a request that the
// runtime ends without telling us becomes garbage, with its bodies and sockets. Its task in Rust is dropped when the
// map of tasks is swept.

import { EdgeIo } from "./edge_io.mjs";
import { flights } from "./flight.mjs";
import { answerWhenLost, instance, lose, onLoss, picked } from "./instance.mjs";
import * as rust from "./index.js";
import * as kv from "./kv.mjs";
import { count } from "./rates.mjs";
import { respond } from "./reply.mjs";
import { MESSAGE_HEADER, PROJECT } from "./stub.mjs";
import { Upload } from "./upload.mjs";
import { WeakValues } from "./weak_values.mjs";

/** What the tasks that wait use, by the number of the task. A task whose request is garbage is dropped. */
export const waiting = new WeakValues((task) => rust.drop(task));

onLoss(() => {
  const lost = waiting.values();
  // All tasks are lost with the instance, those that fly a flight too. The next instance counts its tasks from 1 again.
  waiting.clear();
  flights.clear();
  for (const io of lost) io.lost();
});

/** Serves a request, at the inner entrypoint or at the default one. Returns its response, or a promise of it. */
export function serve(request, env, ctx, isInner) {
  const served = new EdgeRequest(request, env, ctx, isInner);
  served.run();
  return served.response();
}

class EdgeRequest {
  /**
   * A promise of what the last call, of an object or the inner entrypoint, brought: a response, an answer as plain data, or
   * an error.
   */
  calling = null;
  #request;
  #env;
  #ctx;
  #isInner;
  #upload = null;
  #response = null;
  #resolve = null;
  #finish = null;
  /** The task under way, and what it uses. */
  #task = 0;
  #io = null;
  #isWatched = false;
  #beganMs = Date.now();

  constructor(request, env, ctx, isInner) {
    this.#request = request;
    this.#env = env;
    this.#ctx = ctx;
    this.#isInner = isInner;
  }

  /** The response, or a promise of it. */
  response() {
    return this.#response ?? new Promise((resolve) => (this.#resolve = resolve));
  }

  /** Has Rust serve the request to its end. */
  async run() {
    const text = this.#text();
    try {
      const hasBody = this.#request.body !== null;
      for (let losses = 0; await this.#isLost(text, hasBody, losses) && this.#response === null; losses += 1);
    } catch (error) {
      lose(error);
    }
    // A client that gets an answer while it still writes takes its connection for broken.
    if (this.#response === null && this.#request.body !== null) await this.upload().drain();
    if (this.#response === null) this.answer(answerWhenLost(text, this.#isInner));
    this.#finish?.();
  }

  /** Runs a task until it ends. Returns whether it was lost meanwhile, by something else than its own polls. */
  async #isLost(text, hasBody, losses) {
    const current = instance();
    const io = new EdgeIo(this);
    this.#io = io;
    try {
      const hasCalled = this.calling !== null;
      const task = rust.serve(io, text, this.#isInner, hasBody, losses, hasCalled, Date.now() - this.#beganMs);
      if (task === 0) return false;
      waiting.set(task, io);
      this.#task = task;
      for (;;) {
        const outcome = await io.ended();
        if (outcome === undefined || instance() !== current) return true;
        if (rust.poll(io, task, outcome)) break;
      }
      waiting.delete(task);
      return false;
    } finally {
      io.end();
    }
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

  /** Answers the client with a response or an answer as plain data, unless it has an answer. */
  answer(answer) {
    if (this.#response !== null) return;
    this.#response = answer instanceof Response ? answer : respond(answer);
    this.#resolve?.(this.#response);
  }

  /** The request goes on when its client has gone. */
  outliveClient() {
    if (this.#finish === null) this.#ctx.waitUntil(new Promise((resolve) => (this.#finish = resolve)));
  }

  /** The same promise. What it stands for goes on when the request has ended. */
  outlasting(promise) {
    this.#ctx.waitUntil(promise);
    return promise;
  }

  /** Drops the task as soon as the client has gone, and not only once the request is garbage. */
  watchClient() {
    if (this.#isWatched) return;
    this.#isWatched = true;
    this.#request.signal.addEventListener("abort", () => this.#leave());
  }

  /** The client has gone. Unless the request outlives its client, the runtime ends it now, and its task is dropped. */
  #leave() {
    if (this.#finish !== null || waiting.get(this.#task) !== this.#io) return;
    waiting.delete(this.#task);
    rust.drop(this.#task);
  }

  upload() {
    return (this.#upload ??= new Upload(this.#request));
  }

  /** Counts one more under a key at the limit of that name: bindings are the request's, as objects are. */
  count(limit, key) {
    return count(limit, key);
  }

  /** Asks the inner entrypoint for what a GET of the URL answers. It is a call, as those of objects are. */
  askInner(url) {
    this.calling = this.#askInner(url);
    return this.calling;
  }

  async #askInner(url) {
    try {
      return await this.#ctx.exports.CachedReads.fetch(url);
    } catch (error) {
      return error;
    }
  }

  /** What KV has under a key; null if that is nothing, undefined if KV fails. */
  readKv(key) {
    return kv.read(this.#env.REGISTRY, key);
  }

  /** A page of the keys of KV, as kv.mjs tells it; undefined if KV fails. */
  listKv(from) {
    return kv.list(this.#env.REGISTRY, from);
  }

  /** Calls an object of the class of that number, with the upload or without it. */
  call(objectClass, object, message, hasUpload, canWait) {
    const namespace = objectClass === PROJECT ? this.#env.PROJECTS : this.#env.STREAMS;
    this.calling = this.#call(namespace, object, message, hasUpload ? this.#upload.bytes : null, canWait);
    return this.calling;
  }

  async #call(namespace, object, message, body, canWait) {
    try {
      const stub = namespace.getByName(object);
      // A method's call costs an append 5 % less than a fetch, whose reply is a stream that passes through.
      if (body !== null) return await stub.take(message, body);
      const headers = { [MESSAGE_HEADER]: encodeURIComponent(message) };
      if (canWait) headers.upgrade = "websocket";
      return await stub.fetch("https://object/", { headers });
    } catch (error) {
      return error;
    }
  }
}
