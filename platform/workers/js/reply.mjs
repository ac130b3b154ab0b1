// Answers as plain data: [status, fields, body]. The fields are names and values, each ended by a line feed; the body is
// bytes, or null.

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

/** An answer whose body is a window on the memory of the wasm instance, which holds only during a call. */
export const plain = (status, fields, body) => [status, fields, body.length > 0 ? copied(body) : null];

/** A copy of a window. A typed array made from another is not zeroed before it is filled, as that of `slice` is. */
const copied = (bytes) => new Uint8Array(bytes);

/** The response of an answer. */
export function respond([status, fields, body]) {
  const parts = fields.split("\n");
  // A record costs the runtime a third of what a list of pairs does. Core sets no name twice.
  const headers = {};
  for (let index = 0; index + 1 < parts.length; index += 2) headers[parts[index]] = parts[index + 1];
  return new Response(body, { status, headers });
}

/** The fields of a response. */
export function fieldsOf(response) {
  let fields = "";
  for (const [name, value] of response.headers) fields += `${name}\n${value}\n`;
  return fields;
}
