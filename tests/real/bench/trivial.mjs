// The least that an acknowledged write costs on this runtime: one object for each path, one inserted row for each
// request; and the least that a read of all rows costs. `cargo xtask bench append` compares the Worker with it.
import { DurableObject } from "cloudflare:workers";

export class Trivial extends DurableObject {
  #sql;

  constructor(ctx, env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS log (position INTEGER PRIMARY KEY, body BLOB NOT NULL)");
  }

  async fetch(request) {
    if (request.method === "GET") {
      const rows = [...this.#sql.exec("SELECT body FROM log ORDER BY position").raw()];
      return new Response(await new Blob(rows.flatMap(([body]) => [body, ","])).arrayBuffer());
    }
    this.#sql.exec("INSERT INTO log (body) VALUES (?)", await request.arrayBuffer());
    return new Response(null, { status: 204 });
  }
}

export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return new Response("ok");
    return env.STREAMS.getByName(pathname).fetch(request);
  },
};
