// Lets a client without TLS talk to a server that wants it: each connection to the port that this prints becomes one to the
// server, whose certificate is checked. Arguments: host name and port of the server.
import { createServer } from "node:net";
import { connect } from "node:tls";

const [host, port] = process.argv.slice(2);

const tunnel = createServer({ noDelay: true }, (near) => {
  const far = connect({ host, port: Number(port), servername: host, ALPNProtocols: ["http/1.1"] });
  far.setNoDelay(true);
  near.pipe(far).pipe(near);
  for (const [one, other] of [[near, far], [far, near]]) {
    one.on("error", (error) => {
      if (one === far) console.error(`${host}: ${error.message}`);
      other.destroy();
    });
    one.on("close", () => other.destroy());
  }
});
tunnel.listen(0, "127.0.0.1", () => console.log(tunnel.address().port));
