// The edge's end of a socket. It keeps messages until they are taken, up to a number of bytes, and calls its listener
// when one arrives or the socket closes. While it has a receiver it keeps none: each event that is delivered comes that
// way.

/** How a wait ended: src/outcome.rs. */
const MESSAGE = 20;
const TIMED_OUT = 21;
const OVERFLOW = 22;
const CLOSED = 24;

export class Socket {
  listener = null;
  /** Takes each message as it arrives. Who sets it takes at once what waits. */
  receiver = null;
  closed = false;
  #socket;
  #arrived = [];
  #waiting = 0;
  #hasOverflowed = false;

  /** At most `mostBytes` may wait, or one message; with more the socket closes. */
  constructor(socket, mostBytes) {
    this.#socket = socket;
    // Without this, binary messages would never arrive.
    socket.binaryType = "arraybuffer";
    const closed = () => {
      this.closed = true;
      this.listener?.();
    };
    socket.addEventListener("message", (event) => {
      if (this.closed) return;
      const bytes = new Uint8Array(event.data);
      if (this.receiver !== null) return this.receiver(bytes);
      if (this.#waiting > 0 && this.#waiting + bytes.length > mostBytes) {
        this.#hasOverflowed = true;
        this.close();
        return closed();
      }
      this.#waiting += bytes.length;
      this.#arrived.push(bytes);
      this.listener?.();
    });
    socket.addEventListener("close", closed);
    socket.addEventListener("error", closed);
    socket.accept();
  }

  take() {
    const bytes = this.#arrived.shift();
    if (bytes !== undefined) this.#waiting -= bytes.length;
    return bytes;
  }

  /** How a wait ends on a socket that is closed. */
  get end() {
    return this.#hasOverflowed ? OVERFLOW : CLOSED;
  }

  /** A promise of how the wait for the next message ended, and of the message. */
  next(waitMs) {
    return new Promise((resolve) => {
      const end = (outcome, bytes) => {
        clearTimeout(timer);
        this.listener = null;
        resolve([outcome, bytes]);
      };
      const timer = setTimeout(end, waitMs, TIMED_OUT);
      this.listener = () => {
        const bytes = this.take();
        if (bytes !== undefined) end(MESSAGE, bytes);
        else if (this.closed) end(this.end);
      };
      this.listener();
    });
  }

  close() {
    try {
      this.#socket.close(1000, "");
    } catch {
      // The socket is closed already.
    }
  }
}
