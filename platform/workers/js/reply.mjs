// Answers as plain data: [status, fields, body]. The fields are names and values in turn, each followed by a line feed;
// the body is bytes, or null.

/** An answer from a body that is a view of the wasm instance's memory, valid only during a call: it is copied. */
export const plain = (status, fields, body) => [status, fields, body.length > 0 ? copied(body) : null];

/**
 * A copy of a view. Unlike the result of `slice`, a typed array made from another is not zeroed before it is filled.
 */
const copied = (bytes) => new Uint8Array(bytes);

/** The response of an answer. */
export function respond([status, fields, body]) {
  const parts = fields.split("\n");
  // A record costs the runtime a third of what a list of pairs costs. It is enough, as core sets no name twice.
  const headers = {};
  for (let index = 0; index + 1 < parts.length; index += 2) headers[parts[index]] = parts[index + 1];
  return new Response(body, { status, headers });
}

/** The header fields of a response: names and values in turn, each followed by a line feed. */
export function fieldsOf(response) {
  let fields = "";
  for (const [name, value] of response.headers) fields += `${name}\n${value}\n`;
  return fields;
}
