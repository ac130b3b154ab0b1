// The Worker and its Durable Object. Every decision is in Rust; this passes requests in and answers out, and sees to it
// that each request is answered, whatever happens there.
//
// | file | what it holds |
// | --- | --- |
// | entry.mjs | the Worker, the object |
// | instance.mjs | the life of the wasm instance |
// | io.mjs | what Rust calls |
// | body.mjs | bodies of requests |
// | reply.mjs | answers |

import { DurableObject } from "cloudflare:workers";
import { collect, drain, TOO_LARGE } from "./body.mjs";
import * as rust from "./index.js";
import { instance, lose, nextCall, outcomeOf } from "./instance.mjs";
import { EdgeIo, ObjectIo } from "./io.mjs";
import { INSTANCE_LOST, INTERNAL_ERROR, respond } from "./reply.mjs";

// How a call to an object failed: src/edge.rs.
const RESET = 0;
const OVERLOADED = 1;
const EXCEPTION = 2;

const picked = rust.pickedHeaders().split("\n").slice(0, -1);
const edge = new EdgeIo();

export default {
  async fetch(request, env) {
    try {
      const routed = route(request);
      if (routed.plan === null) {
        if (request.body !== null) await drain(request);
        return respond(routed.reply);
      }
      return respond(await forward(request, routed.plan, env.STREAMS));
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
    const kind = error.overloaded ? OVERLOADED : error.remote && !error.durableObjectReset ? EXCEPTION : RESET;
    return ask((io) => rust.unreachable(io, request.method, kind, String(error))).reply;
  }
}

/** The object of one stream. */
export class StreamObject extends DurableObject {
  #io;
  #host = null;
  #instance = -1;

  constructor(ctx, env) {
    super(ctx, env);
    this.#io = new ObjectIo(ctx);
  }

  /** Answers a message of the edge. */
  async op(message, body, tooLarge) {
    const reply = this.#call((host, call) => host.fetch(call, message, body ?? undefined, tooLarge));
    return (await reply) ?? INSTANCE_LOST;
  }

  /** The platform tries again where this throws. */
  async alarm() {
    const failure = await this.#call((host, call) => host.alarm(call));
    if (failure === undefined) throw new Error("the wasm instance was lost");
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
}
