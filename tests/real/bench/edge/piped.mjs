// The least that an edge does for readers of events: it copies what comes on the socket of the object to the client, and
// does not care about readers that are slow or gone, or about connections that are lost.

import { captured, wantsEvents } from "./captured.mjs";
import entry from "./entry.mjs";

export { StreamObject } from "./entry.mjs";

/** The length of what precedes the events in a message of an object: core/src/protocol/live.rs. */
const HEADER = 27;
const COMMENT = new TextEncoder().encode(":\n\n");

export default {
  async fetch(request, env, ctx) {
    if (!wantsEvents(request)) return entry.fetch(request, env, ctx);
    const { name, args } = await captured(request, env, ctx);
    const { webSocket } = await env.STREAMS.getByName(name).fetch(...args);
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    const write = (bytes) => writer.write(bytes).catch(() => webSocket.close());
    let isGreeted = false;
    webSocket.binaryType = "arraybuffer";
    webSocket.addEventListener("message", ({ data }) => {
      write(isGreeted ? new Uint8Array(data, HEADER) : COMMENT);
      isGreeted = true;
    });
    webSocket.accept();
    return new Response(readable, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
  },
};
