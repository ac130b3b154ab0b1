// Answers as plain data: [status, fields, body]. The fields are names and values in turn, each followed by a line feed;
// the body is bytes, or null.

/** An answer from a body that is a view of the wasm instance's memory, valid only during a call: it is copied. */
export const plain = (status, fields, body) => [status, fields, body.length > 0 ? copied(body) : null];

/**
 * A copy of a view. Unlike the result of `slice`, a typed array made from another is not zeroed before it is filled.
 */
const copied = (bytes) => new Uint8Array(bytes);

/** The response of an answer. Its fields are changed, if it is said how (src/edge_env.rs). */
export function respond([status, fields, body], changes) {
  // A record costs the runtime a third of what a list of pairs costs. It is enough, as core sets no name twice.
  const headers = {};
  set(headers, fields.split("\n"), 0);
  if (changes !== undefined) {
    const lines = changes.split("\n");
    for (const name of namesIn(lines[0])) delete headers[name];
    set(headers, lines, 1);
  }
  return new Response(body, { status, headers });
}

/** Sets the fields whose names and values are lines from `index` on. */
function set(headers, lines, index) {
  for (; index + 1 < lines.length; index += 2) headers[lines[index]] = lines[index + 1];
}

const namesIn = (line) => line.split(" ").filter((name) => name !== "");

/** A response with the body of a reply, whose fields are changed, if it is said how (src/edge_env.rs). */
export function changed(response, changes) {
  if (Array.isArray(response)) return respond(response, changes);
  if (changes === undefined) return response;
  // The fields of a response that has come from elsewhere cannot be changed, those of a copy can.
  const copy = new Response(response.body, response);
  const lines = changes.split("\n");
  for (const name of namesIn(lines[0])) copy.headers.delete(name);
  for (let index = 1; index + 1 < lines.length; index += 2) copy.headers.set(lines[index], lines[index + 1]);
  return copy;
}

/** The status of a reply. */
export const statusOf = (response) => (Array.isArray(response) ? response[0] : response.status);

/** The header fields of a reply: names and values in turn, each followed by a line feed. */
export function fieldsOf(response) {
  if (Array.isArray(response)) return response[1];
  let fields = "";
  for (const [name, value] of response.headers) fields += `${name}\n${value}\n`;
  return fields;
}
