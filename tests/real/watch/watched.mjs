// The Worker with one more route: GET /watch tells what crossed the border to Rust so far, and how much the isolate
// remembers of requests.

import { crossings, memory } from "./crossings.mjs";
import entry from "./entry.mjs";
import { waiting } from "./edge_request.mjs";
import { flights } from "./flight.mjs";
import { taskCount } from "./index.js";

export { StreamObject } from "./entry.mjs";

export default {
  fetch(request, env, ctx) {
    // Not every URL of a request can be parsed.
    if (!/^http:\/\/[^/]*\/watch$/.test(request.url)) return entry.fetch(request, env, ctx);
    const { exports, imports } = crossings;
    return Response.json({
      exports: Object.fromEntries(exports),
      imports: Object.fromEntries(imports),
      memoryBytes: memory.buffer.byteLength,
      tasks: taskCount(),
      waiting: waiting.size,
      flights: flights.size,
    });
  },
};
