// A TCP proxy in front of the server, whose connections can be cut. To a client that looks like a network that fails.
import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Proxy {
  /** How many connections have been cut so far. */
  cut = 0;
  /** Where the proxy listens, as `http://host:port`. */
  url;
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

  #join(client, server) {
    const pair = [client, server];
    this.#pairs.add(pair);
    for (const [from, to] of [pair, pair.toReversed()]) {
      from.setNoDelay(true);
      from.pipe(to);
      // A connection that breaks on one side is broken on the other side too.
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}
