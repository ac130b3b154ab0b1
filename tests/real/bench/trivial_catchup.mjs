// The least that catching up costs on this runtime: an object that joins rows to pages of 1 MiB. `cargo xtask bench
// catchup` compares the Worker with it.
import { DurableObject } from "cloudflare:workers";

const PAGE_BYTES = 1 << 20;

export class TrivialLog extends DurableObject {
  #sql;

  constructor(ctx, env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS log (position INTEGER PRIMARY KEY, body BLOB NOT NULL)");
  }

  async fetch(request) {
    if (request.method !== "GET") {
      const body = await request.arrayBuffer();
      if (body.byteLength > 0) this.#sql.exec("INSERT INTO log (body) VALUES (?)", body);
      return new Response(null, { status: 204 });
    }
    const offset = Math.max(0, Number(new URL(request.url).searchParams.get("offset")));
    const bodies = [];
    let [next, size, upToDate] = [offset, 1, true];
    for (const [position, body] of this.#sql.exec("SELECT position, body FROM log WHERE position > ?", offset).raw()) {
      if (size + body.byteLength > PAGE_BYTES) {
        upToDate = false;
        break;
      }
      bodies.push(body);
      [next, size] = [position, size + body.byteLength + 1];
    }
    const headers = { "content-type": "application/json", "stream-next-offset": String(next) };
    if (upToDate) headers["stream-up-to-date"] = "true";
    return new Response(array(bodies, size), { headers });
  }
}

/** `[a,b,c]` of so many bytes. */
function array(bodies, size) {
  const page = new Uint8Array(size + (bodies.length > 0 ? 0 : 1));
  let at = 0;
  for (const body of bodies) {
    page[at] = at > 0 ? 0x2c : 0x5b;
    page.set(new Uint8Array(body), at + 1);
    at += body.byteLength + 1;
  }
  page.set(at > 0 ? [0x5d] : [0x5b, 0x5d], at);
  return page;
}

export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return new Response("ok");
    return env.STREAMS.getByName(pathname).fetch(request);
  },
};
