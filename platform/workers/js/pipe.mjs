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
    // A copy, so that the message is garbage as soon as the client has taken it, however long no other one comes.
    const header = new Uint8Array(headerLength);
    let headerFilled = 0;
    const end = (outcome, message) => {
      clearTimeout(timer);
      socket.listener = null;
      socket.receiver = null;
      body.whenGone = null;
      resolve([outcome, message, header.subarray(0, headerFilled)]);
    };
    // One timer, which looks again when it goes off: setting it anew for each message would cost more.
    const watch = () => {
      const leftMs = Math.min(endsMs, heardMs + silenceMs) - Date.now();
      if (leftMs <= 0) end(TIMED_OUT);
      else timer = setTimeout(watch, leftMs);
    };
    const passOn = (bytes) => {
      if (!startsWith(bytes, prefix)) return end(MESSAGE, bytes);
      // Nothing more for a client that has not taken what it was sent, while too much waits for all.
      if (body.waiting > 0 && waitingForClients() > allBytes) return end(OVERFLOW);
      const waiting = body.push(bytes.subarray(headerLength));
      if (body.gone) return end(GONE);
      headerFilled = Math.min(headerLength, bytes.length);
      for (let index = 0; index < headerFilled; index += 1) header[index] = bytes[index];
      heardMs = Date.now();
      if (waiting > bufferBytes) end(OVERFLOW);
    };
    body.whenGone = () => end(GONE);
    socket.listener = () => {
      for (let bytes = socket.take(); bytes !== undefined; bytes = socket.take()) {
        passOn(bytes);
        // The pipe has ended.
        if (socket.receiver === null) return;
      }
      if (socket.closed) end(socket.end);
    };
    socket.receiver = passOn;
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
