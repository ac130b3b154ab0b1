// The Durable Objects: a thin class each over one host.

import { DurableObject } from "cloudflare:workers";
import * as rust from "./index.js";
import { instance, isPresent, lose, onLoss, whenLost } from "./instance.mjs";
import { ObjectIo } from "./object_io.mjs";
import { respond } from "./reply.mjs";
import { MESSAGE_HEADER, PROJECT } from "./stub.mjs";
import { WeakValues } from "./weak_values.mjs";

/** The objects of this isolate, in the order in which they started. */
export const objects = new WeakValues();
let started = 0;

onLoss(() => {
  for (const object of objects.values()) object.lost();
});

class HostedObject extends DurableObject {
  #io;
  /** The number of its class: core's `protocol::Class`. */
  #class;
  #host = null;
  #instance = -1;
  #lastCall = 0;

  constructor(ctx, env, objectClass) {
    super(ctx, env);
    this.#class = objectClass;
    this.#io = new ObjectIo(ctx, env.SEGMENTS, env.REGISTRY);
    started += 1;
    objects.set(started, this);
  }

  /** Answers a message of the edge that has a client's body. */
  async take(message, body) {
    return (await this.#call((host, call) => host.call(call, message, body))) ?? this.#cut();
  }

  /** Answers a message of the edge. */
  async fetch(request) {
    const message = decodeURIComponent(request.headers.get(MESSAGE_HEADER));
    const outcome = (await this.#call((host, call) => host.call(call, message))) ?? this.#cut();
    if (outcome instanceof WebSocket) return new Response(null, { status: 101, webSocket: outcome });
    return respond(outcome);
  }

  // Edges send nothing on their sockets. The runtime drops a socket that its edge closes only if there are handlers.
  webSocketMessage() {}

  webSocketClose(socket) {
    socket.close();
  }

  webSocketError() {}

  /** If this throws, the platform calls it again later. */
  async alarm() {
    const failure = await this.#call((host, call) => host.alarm(call));
    if (failure === undefined) {
      this.#cut();
      throw new Error("the wasm instance was lost");
    }
    if (failure !== "") throw new Error(failure);
  }

  /** Ends all calls that wait: the wasm instance is lost. */
  lost() {
    this.#io.lost();
  }

  /** The outcome of a call into Rust, or a promise of it; undefined if the instance is lost. */
  #call(enter) {
    this.#lastCall = (this.#lastCall + 1) >>> 0;
    const call = this.#lastCall;
    this.#io.outcome = undefined;
    try {
      const current = instance();
      if (this.#instance !== current) {
        // The object's memory was lost with the instance. It reads its storage again before it takes this event.
        if (this.#host !== null) this.#cut();
        this.#host = new rust.ObjectHost(this.#io, this.#class);
        this.#instance = current;
      }
      return enter(this.#host, call) ? this.#io.outcomeOf(call) : this.#io.outcome;
    } catch (error) {
      lose(error);
      return undefined;
    }
  }

  /**
   * The object's instance is lost. Closes all sockets: nobody knows what waiting readers were told. They come back and
   * read it. If a later event has begun with the next instance, that has closed them, and those that are there are new.
   */
  #cut() {
    if (!isPresent(this.#instance)) this.#io.cut();
    return whenLost;
  }
}

/** The object of one stream. */
export class StreamObject extends HostedObject {
  constructor(ctx, env) {
    super(ctx, env, 0);
  }
}

/** The object of one project. */
export class ProjectObject extends HostedObject {
  constructor(ctx, env) {
    super(ctx, env, PROJECT);
  }
}
