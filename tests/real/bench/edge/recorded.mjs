// The Worker with objects that answer each kind of call as the first of its kind was answered, at once and for next to
// nothing. What its requests cost is the edge's, and the runtime's own.

import entry from "./entry.mjs";

export { StreamObject } from "./entry.mjs";

/** The messages of a socket on which a long-poll has waited: the greeting, and the answer. */
const MESSAGES = 2;

/** What calls of a kind bring, as a function that brings it once more. */
const records = new Map();

/** The kind of a call: the object, and the version and the operation with which its message begins. */
const kindOf = (name, message) => `${message.slice(0, 2)} ${name}`;

/** The reply to a message that has a client's body. */
async function take(kind, stub, message, body) {
  const known = records.get(kind);
  if (known !== undefined) return known();
  const reply = await stub.take(message, body);
  records.set(kind, () => reply);
  return reply;
}

/** The reply to any other message, or a socket. */
async function fetch(kind, stub, args) {
  const known = records.get(kind);
  if (known !== undefined) return known();
  const { status, headers, body, webSocket } = await stub.fetch(...args);
  if (webSocket !== null) return overheard(kind, webSocket);
  const bytes = await new Response(body).arrayBuffer();
  const again = () => new Response(bytes, { status, headers });
  records.set(kind, again);
  return again();
}

/** The socket of an object, whose messages are written down. */
function overheard(kind, webSocket) {
  const [edge, object] = Object.values(new WebSocketPair());
  const messages = [];
  webSocket.binaryType = "arraybuffer";
  webSocket.addEventListener("message", ({ data }) => {
    messages.push(data);
    object.send(data);
    if (messages.length === MESSAGES) records.set(kind, () => replay(messages));
  });
  object.addEventListener("close", () => webSocket.close());
  object.accept();
  webSocket.accept();
  return new Response(null, { status: 101, webSocket: edge });
}

/** A socket that brings these messages, and is closed then. */
function replay(messages) {
  const [edge, object] = Object.values(new WebSocketPair());
  object.accept();
  messages.forEach((message) => object.send(message));
  object.close();
  return new Response(null, { status: 101, webSocket: edge });
}

const recorded = (streams) => ({
  getByName(name) {
    const stub = () => streams.getByName(name);
    return {
      take: (message, body) => take(kindOf(name, message), stub(), message, body),
      fetch: (...args) => fetch(kindOf(name, Object.values(args[1].headers)[0]), stub(), args),
    };
  },
});

export default {
  fetch: (request, env, ctx) => entry.fetch(request, { ...env, STREAMS: recorded(env.STREAMS) }, ctx),
};
