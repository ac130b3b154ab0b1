// The Worker without its edge for readers of events: each gets the socket of its object, which the runtime pipes to it.
// What such a reader costs is not the edge's.

import { captured, wantsEvents } from "./captured.mjs";
import entry from "./entry.mjs";

export { StreamObject } from "./entry.mjs";

export default {
  async fetch(request, env, ctx) {
    if (!wantsEvents(request)) return entry.fetch(request, env, ctx);
    const { name, args } = await captured(request, env, ctx);
    return env.STREAMS.getByName(name).fetch(...args);
  },
};
