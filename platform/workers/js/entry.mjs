// The Worker and its Durable Object. Every decision is in Rust; this passes requests in and answers out, and sees to it
// that each request is answered, whatever happens there.
//
// | file | what it holds |
// | --- | --- |
// | entry.mjs | the Worker, the object |
// | instance.mjs | the life of the wasm instance |
// | io.mjs | what Rust calls |
// | live.mjs | live reads at the edge: sockets, bodies of clients, flights |
// | stub.mjs | what edge and object agree on |
// | body.mjs | bodies of requests |
// | reply.mjs | answers |

import { DurableObject } from "cloudflare:workers";
import { collect, drain, TOO_LARGE } from "./body.mjs";
import * as rust from "./index.js";
import { instance, lose, nextCall, outcomeOf } from "./instance.mjs";
import { EdgeIo, ObjectIo } from "./io.mjs";
import { answerLive } from "./live.mjs";
import { INSTANCE_LOST, INTERNAL_ERROR, respond } from "./reply.mjs";
import { MESSAGE_HEADER, failureOf } from "./stub.mjs";

const picked = rust.pickedHeaders().split("\n").slice(0, -1);
const edge = new EdgeIo();

export default {
  async fetch(request, env, ctx) {
    try {
      // Taken at once: the next request is told its own in the same place.
      const { plan, reply } = route(request);
      if (plan === null || plan.live) {
        if (request.body !== null) await drain(request);
        return plan === null ? respond(reply) : await answerLive(plan, env.STREAMS, ctx);
      }
      return respond(await forward(request, plan, env.STREAMS));
    } catch (error) {
      console.error("a request failed:", error);
      await drain(request);
      return respond(INTERNAL_ERROR);
    }
  },
};

/** What becomes of a request: a plan, or the reply if there is none. */
function route(request) {
  const { headers } = request;
  let text = `${request.method}\n${request.url}\n`;
  for (const name of picked) {
    const value = headers.get(name);
    if (value !== null) text += `${name}\n${value}\n`;
  }
  return ask((io) => rust.route(io, text));
}

/** Calls into Rust about a request at the edge. */
function ask(question) {
  edge.reply = INTERNAL_ERROR;
  edge.plan = null;
  try {
    instance();
    question(edge);
  } catch (error) {
    lose(error);
    return { reply: INSTANCE_LOST, plan: null };
  }
  return edge;
}

/** Calls the object with the request's body, and answers what it replies. */
async function forward(request, plan, streams) {
  const { object, message, bodyLimit } = plan;
  let body = null;
  if (plan.collect) body = await collect(request, bodyLimit);
  else if (request.body !== null) await drain(request);
  const tooLarge = body === TOO_LARGE;
  try {
    return await streams.getByName(object).op(message, tooLarge ? null : body, tooLarge);
  } catch (error) {
    return ask((io) => rust.unreachable(io, request.method, failureOf(error), String(error))).reply;
  }
}

/** The object of one stream. */
export class StreamObject extends DurableObject {
  #io;
  #host = null;
  #instance = -1;

  constructor(ctx, env) {
    super(ctx, env);
    this.#io = new ObjectIo(ctx, env.SEGMENTS);
  }

  /** Answers a message of the edge. */
  async op(message, body, tooLarge) {
    const reply = this.#call((host, call) => host.fetch(call, message, body ?? undefined, tooLarge));
    return (await reply) ?? this.#lost();
  }

  /** Answers a message of an edge that can wait on a socket. */
  async fetch(request) {
    const message = decodeURIComponent(request.headers.get(MESSAGE_HEADER));
    const outcome = (await this.#call((host, call) => host.connect(call, message))) ?? this.#lost();
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
      this.#lost();
      throw new Error("the wasm instance was lost");
    }
    if (failure !== "") throw new Error(failure);
  }

  /** The outcome of a call into Rust, or a promise of it; undefined if the instance is lost. */
  #call(enter) {
    const call = nextCall();
    this.#io.outcome = undefined;
    try {
      const current = instance();
      if (this.#instance !== current) {
        // What the object knew went with the instance; it reads its storage again before this event.
        if (this.#host !== null) this.#lost();
        this.#host = new rust.ObjectHost(this.#io);
        this.#instance = current;
      }
      if (enter(this.#host, call)) return outcomeOf(call);
    } catch (error) {
      lose(error);
      return undefined;
    }
    return this.#io.outcome;
  }

  /** What those who wait were told, if they were, is not known: they come back, and read it. */
  #lost() {
    this.#io.cut();
    return INSTANCE_LOST;
  }
}
