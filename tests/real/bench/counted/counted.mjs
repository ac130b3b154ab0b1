// The Worker with one more route: GET /calls tells how many calls of objects its isolate has made.

import entry from "./entry.mjs";

export { StreamObject } from "./entry.mjs";

let calls = 0;

/** The objects, whose calls are counted: each begins with a stub. */
const counted = (streams) => ({
  getByName(name) {
    calls += 1;
    return streams.getByName(name);
  },
});

export default {
  fetch(request, env, ctx) {
    if (request.url.endsWith("/calls")) return new Response(String(calls));
    return entry.fetch(request, { ...env, STREAMS: counted(env.STREAMS) }, ctx);
  },
};
