// The Worker with two more routes. GET /watch tells what crossed the border to Rust so far, how much the isolate remembers
// of requests, and what the inner entrypoint was asked. /watch/inner passes a request on to the inner entrypoint, which
// nothing else here does for a client.

import { crossings, memory } from "./crossings.mjs";
import entry, { CachedReads as Inner } from "./entry.mjs";
import { waiting } from "./edge_request.mjs";
import { flights } from "./flight.mjs";
import { taskCount } from "./index.js";

export { StreamObject } from "./entry.mjs";

/** The requests that the inner entrypoint was asked: method, URL, names of header fields. */
const inner = [];

export class CachedReads extends Inner {
  fetch(request) {
    inner.push([request.method, request.url, [...request.headers.keys()]]);
    return super.fetch(request);
  }
}

export default {
  fetch(request, env, ctx) {
    // Not every URL of a request can be parsed.
    const watched = /^(http:\/\/[^/]*)\/watch(\/inner\/)?(.*)$/.exec(request.url);
    if (watched === null) return entry.fetch(request, env, ctx);
    const [, origin, asksInner, rest] = watched;
    if (asksInner) return ctx.exports.CachedReads.fetch(`${origin}/${rest}`, { method: request.method });
    const { exports, imports } = crossings;
    return Response.json({
      exports: Object.fromEntries(exports),
      imports: Object.fromEntries(imports),
      memoryBytes: memory.buffer.byteLength,
      tasks: taskCount(),
      waiting: waiting.size,
      flights: flights.size,
      inner,
    });
  },
};
