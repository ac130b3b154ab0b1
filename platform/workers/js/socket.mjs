// The edge's end of a socket: keeps what arrives until it is taken, and tells its listener of it.

/** How waiting ended: src/outcome.rs. */
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

  /** How waiting for the next message ended, and the message. */
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
      // It is closed already.
    }
  }
}
