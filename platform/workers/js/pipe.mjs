// Passes messages of a socket on to a client without asking Rust about each: it takes a message, pushes its payload and
// counts what waits, again and again. It must do the same as the provided method `Download::pipe` of core.

import { waitingForClients } from "./download.mjs";

/** How the pipe ended: src/outcome.rs. */
const MESSAGE = 20;
const TIMED_OUT = 21;
const OVERFLOW = 22;
const GONE = 23;

/** A promise of how the pipe ended, the message that was not passed on, and the header of the last one that was. */
export function pipe(socket, body, prefix, headerLength, [bufferBytes, allBytes, waitMs, silenceMs]) {
  return new Promise((resolve) => {
    const endsMs = Date.now() + waitMs;
    let heardMs = Date.now();
    let timer;
    let header;
    const end = (outcome, message) => {
      clearTimeout(timer);
      socket.listener = null;
      body.listener = null;
      resolve([outcome, message, header]);
    };
    // One timer, which looks again when it goes off: setting it anew for each message would cost more.
    const watch = () => {
      const leftMs = Math.min(endsMs, heardMs + silenceMs) - Date.now();
      if (leftMs <= 0) end(TIMED_OUT);
      else timer = setTimeout(watch, leftMs);
    };
    body.listener = () => {
      if (body.gone) end(GONE);
    };
    socket.listener = () => {
      for (let bytes = socket.take(); bytes !== undefined; bytes = socket.take()) {
        if (!startsWith(bytes, prefix)) return end(MESSAGE, bytes);
        // Nothing more for a client that has not taken what it was sent, while too much waits for all.
        if (body.waiting > 0 && waitingForClients() > allBytes) return end(OVERFLOW);
        const waiting = body.push(bytes.subarray(headerLength));
        if (body.gone) return end(GONE);
        header = bytes.subarray(0, headerLength);
        heardMs = Date.now();
        if (waiting > bufferBytes) return end(OVERFLOW);
      }
      if (socket.closed) end(socket.end);
    };
    if (body.gone) return end(GONE);
    timer = setTimeout(watch, Math.min(waitMs, silenceMs));
    socket.listener();
  });
}

function startsWith(bytes, prefix) {
  for (let index = 0; index < prefix.length; index += 1) {
    if (bytes[index] !== prefix[index]) return false;
  }
  return true;
}
