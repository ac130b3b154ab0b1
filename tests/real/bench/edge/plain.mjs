// The least that a request costs on this runtime: a Worker that takes the body and answers at once. What it costs is the
// runtime's own.

export { StreamObject } from "./entry.mjs";

const BODY = "x".repeat(1_000);

export default {
  async fetch(request) {
    if (request.method === "GET") return new Response(BODY, { headers: { "content-type": "application/json" } });
    await request.arrayBuffer();
    return new Response(null, { status: request.method === "PUT" ? 201 : 204 });
  },
};
