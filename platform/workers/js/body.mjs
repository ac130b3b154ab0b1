// Bodies of requests. Each is read to its end before its request is answered: clients that still write when an answer
// comes take it for a broken connection.

/** What stands for a body beyond its limit. */
export const TOO_LARGE = Symbol("too large");

/** Reads a body: null where there is none, bytes up to the limit, or TOO_LARGE. */
export async function collect(request, limit) {
  const stream = request.body;
  if (stream === null) return null;
  // The connection frames a body by its declared length, so that no more than that can come.
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) <= limit) return new Uint8Array(await request.arrayBuffer());
  const chunks = [];
  let size = 0;
  // A chunk is dropped as soon as the body is known to be too large: memory stays bounded by the limit.
  for await (const chunk of stream) {
    size += chunk.byteLength;
    if (size <= limit) chunks.push(chunk);
    else chunks.length = 0;
  }
  return size <= limit ? join(chunks, size) : TOO_LARGE;
}

/** Reads a body that nobody wants; a client that goes away meanwhile is no error. */
export async function drain(request) {
  if (request.body === null || request.bodyUsed) return;
  try {
    await collect(request, -1);
  } catch {
    // There is nobody left to answer.
  }
}

function join(chunks, size) {
  if (chunks.length === 1) return chunks[0];
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
