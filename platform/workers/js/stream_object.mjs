// The Durable Object of one stream.

import { DurableObject } from "cloudflare:workers";
import * as rust from "./index.js";
import { instance, lose, onLoss } from "./instance.mjs";
import { ObjectIo } from "./object_io.mjs";
import { INSTANCE_LOST, respond } from "./reply.mjs";
import { MESSAGE_HEADER } from "./stub.mjs";
import { WeakValues } from "./weak_values.mjs";

/** The objects of this isolate, in the order in which they started. */
export const objects = new WeakValues();
let started = 0;

onLoss(() => {
  for (const object of objects.values()) object.lost();
});

export class StreamObject extends DurableObject {
  #io;
  #host = null;
  #instance = -1;
  #lastCall = 0;

  constructor(ctx, env) {
    super(ctx, env);
    this.#io = new ObjectIo(ctx, env.SEGMENTS);
    started += 1;
    objects.set(started, this);
  }

  /** Answers a message of the edge. */
  async fetch(request) {
    const message = decodeURIComponent(request.headers.get(MESSAGE_HEADER));
    const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer());
    const outcome = (await this.#call((host, call) => host.call(call, message, body))) ?? this.#cut();
    if (outcome instanceof WebSocket) return new Response(null, { status: 101, webSocket: outcome });
    return respond(outcome);
  }

  // Edges say nothing on their sockets, and the runtime forgets those that they close. Without handlers it would not.
  webSocketMessage() {}

  webSocketClose(socket) {
    socket.close();
  }

  webSocketError() {}

  /** The platform tries again where this throws. */
  async alarm() {
    const failure = await this.#call((host, call) => host.alarm(call));
    if (failure === undefined) {
      this.#cut();
      throw new Error("the wasm instance was lost");
    }
    if (failure !== "") throw new Error(failure);
  }

  /** The wasm instance is lost: whatever waits in it ends now. */
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
        // What the object knew went with the instance; it reads its storage again before this event.
        if (this.#host !== null) this.#cut();
        this.#host = new rust.ObjectHost(this.#io);
        this.#instance = current;
      }
      return enter(this.#host, call) ? this.#io.outcomeOf(call) : this.#io.outcome;
    } catch (error) {
      lose(error);
      return undefined;
    }
  }

  /** What those who wait were told, if they were, is not known: they come back, and read it. */
  #cut() {
    this.#io.cut();
    return INSTANCE_LOST;
  }
}
