// What the edge asks of an object, without the object being asked.

import entry from "./entry.mjs";

/** The name of the object that the edge calls for a request, and the arguments of `fetch`. */
export async function captured(request, env, ctx) {
  let asked = null;
  const fetch = (name) => async (...args) => {
    asked = { name, args };
    return new Response(null, { status: 503 });
  };
  const streams = { getByName: (name) => ({ fetch: fetch(name) }) };
  await entry.fetch(request, { ...env, STREAMS: streams }, ctx);
  return asked;
}

/** Whether a request is one for events. */
export const wantsEvents = (request) => new URL(request.url).searchParams.get("live") === "sse";
