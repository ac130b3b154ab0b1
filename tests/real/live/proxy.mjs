// A TCP proxy in front of the server, whose connections can be cut. To a client that looks like a network that fails.
import { once } from "node:events";
import { connect, createServer } from "node:net";

const GET = Buffer.from("GET ");
const HEAD = Buffer.from("HTTP/1.1 ");

export class Proxy {
  /** How many connections have been cut so far. */
  cut = 0;
  /** How many requests to read it has carried. */
  reads = 0;
  /** Where the proxy listens, as `http://host:port`. */
  url;
  /** Where the next cut is to be, and whom to tell of it. */
  #next = null;
  #server;
  #pairs = new Set();

  /** Listens in front of the server at this URL. */
  static async start(target) {
    const proxy = new Proxy();
    const { hostname, port } = new URL(target);
    proxy.#server = createServer((client) => proxy.#join(client, connect(port, hostname)));
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    proxy.url = `http://127.0.0.1:${proxy.#server.address().port}`;
    return proxy;
  }

  /**
   * Cuts a connection in the middle of what it carries to its client. For the next bytes, and those after them, `choose`
   * says how many still arrive, or null if these are not to be cut. Resolves once the cut is made.
   */
  cutWithin(choose) {
    return new Promise((made) => (this.#next = { choose, made }));
  }

  /** How many connections are open. */
  get size() {
    return this.#pairs.size;
  }

  /** Cuts every open connection, in the middle of whatever it carries. */
  cutAll() {
    this.cut += this.#pairs.size;
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
    this.#pairs.clear();
  }

  /** Cuts every open connection, and listens no more. */
  stop() {
    this.#server.close();
    this.cutAll();
  }

  #carry(client, server, bytes) {
    const length = this.#next?.choose(bytes) ?? null;
    if (length === null) {
      if (!client.write(bytes)) server.pause();
      return;
    }
    const { made } = this.#next;
    this.#next = null;
    this.cut += 1;
    server.removeAllListeners("data");
    const isInHead = bytes.subarray(0, HEAD.length).equals(HEAD) && length < bytes.indexOf("\r\n\r\n") + 4;
    if (isInHead) {
      // Without TLS Chromium takes a head for whole that ends with its connection, finds no content type, and gives up
      // for good. So this connection fails instead.
      client.resetAndDestroy();
      server.resetAndDestroy();
      made();
      return;
    }
    // What arrives before the cut does arrive.
    client.end(bytes.subarray(0, length), () => {
      server.resetAndDestroy();
      made();
    });
  }

  #join(client, server) {
    const pair = [client, server];
    this.#pairs.add(pair);
    client.on("data", (bytes) => {
      if (bytes.subarray(0, 4).equals(GET)) this.reads += 1;
    });
    client.pipe(server);
    server.on("data", (bytes) => this.#carry(client, server, bytes));
    server.on("end", () => client.end());
    client.on("drain", () => server.resume());
    for (const [from, to] of [pair, pair.toReversed()]) {
      from.setNoDelay(true);
      // A connection that breaks on one side is broken on the other side too.
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}
