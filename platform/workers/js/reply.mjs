// Answers on their way through JavaScript: [status, fields, body]. The fields are names and values, each ended by a
// line feed; the body is bytes, or null. An object hands them to the edge in this form.

const SERVICE_FAILED = [
  "content-type", "application/json", "cache-control", "no-store", "x-content-type-options", "nosniff",
  "cross-origin-resource-policy", "cross-origin", "",
].join("\n");

/** The answer of a request that a fault of ours has ended; operators find the cause on the console. */
function failure(code, message) {
  return [500, SERVICE_FAILED, new TextEncoder().encode(JSON.stringify({ error: { code, message } }))];
}

/** The wasm instance was lost while it worked on the request. */
export const INSTANCE_LOST = failure("instance_lost", "the service failed; the request may have been applied");

/** JavaScript itself failed. */
export const INTERNAL_ERROR = failure("internal_error", "the service failed; the request may have been applied");

/** The response of an answer. */
export function respond([status, fields, body]) {
  const parts = fields.split("\n");
  // A record costs the runtime a third of what a list of pairs does. Core sets no name twice.
  const headers = {};
  for (let index = 0; index + 1 < parts.length; index += 2) headers[parts[index]] = parts[index + 1];
  return new Response(body, { status, headers });
}
