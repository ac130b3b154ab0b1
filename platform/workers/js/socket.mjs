// The edge's end of a socket. It keeps messages until they are taken, and calls its listener when one arrives or the
// socket closes.

/** How a wait ended: src/outcome.rs. */
const MESSAGE = 20;
const TIMED_OUT = 21;
const CLOSED = 24;

export class Socket {
  listener = null;
  closed = false;
  #socket;
  #arrived = [];

  constructor(socket) {
    this.#socket = socket;
    // Without this, binary messages would never arrive.
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event) => {
      this.#arrived.push(new Uint8Array(event.data));
      this.listener?.();
    });
    const closed = () => {
      this.closed = true;
      this.listener?.();
    };
    socket.addEventListener("close", closed);
    socket.addEventListener("error", closed);
    socket.accept();
  }

  take() {
    return this.#arrived.shift();
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
        else if (this.closed) end(CLOSED);
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
