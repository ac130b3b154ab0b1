// The least that live delivery costs on this runtime: an object that holds its readers itself, inserts one row for each
// write, and does not care about readers that are slow or gone. Such an object never sleeps. `cargo xtask bench live`
// compares the Worker with it.
import { DurableObject } from "cloudflare:workers";

const encoder = new TextEncoder();
const offset = (position) => String(position).padStart(33, "0");

export class TrivialLive extends DurableObject {
  #sql;
  #position = 0;
  #writers = new Set();
  #polls = [];

  constructor(ctx, env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS log (position INTEGER PRIMARY KEY, body BLOB NOT NULL)");
  }

  async fetch(request) {
    if (request.method === "PUT") return new Response(null, { status: 201 });
    if (request.method === "POST") return this.#append(await request.arrayBuffer());
    const { searchParams } = new URL(request.url);
    if (searchParams.get("live") === "sse") return this.#events();
    const from = Math.max(0, Number(searchParams.get("offset")));
    return from < this.#position ? this.#read(from) : new Promise((resolve) => this.#polls.push(resolve));
  }

  #append(body) {
    this.#sql.exec("INSERT INTO log (body) VALUES (?)", body);
    this.#position += 1;
    const event = encoder.encode(`event: data\ndata:[${new TextDecoder().decode(body)}]\n\n${this.#control()}`);
    for (const writer of this.#writers) writer.write(event).catch(() => this.#writers.delete(writer));
    const polls = this.#polls;
    this.#polls = [];
    for (const resolve of polls) resolve(this.#answer(`[${new TextDecoder().decode(body)}]`));
    return new Response(null, { status: 204 });
  }

  #events() {
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    writer.write(encoder.encode(this.#control())).catch(() => {});
    this.#writers.add(writer);
    return new Response(readable, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
  }

  #control() {
    const control = { streamNextOffset: offset(this.#position), streamCursor: String(this.#position), upToDate: true };
    return `event: control\ndata:${JSON.stringify(control)}\n\n`;
  }

  #read(from) {
    const rows = [...this.#sql.exec("SELECT body FROM log WHERE position > ? ORDER BY position", from).raw()];
    return this.#answer(`[${rows.map(([body]) => new TextDecoder().decode(body)).join(",")}]`);
  }

  #answer(body) {
    const headers = {
      "content-type": "application/json",
      "stream-next-offset": offset(this.#position),
      "stream-cursor": String(this.#position),
    };
    return new Response(body, { headers });
  }
}

export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return new Response("ok");
    return env.STREAMS.getByName(pathname).fetch(request);
  },
};
