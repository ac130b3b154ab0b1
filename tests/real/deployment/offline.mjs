// Loaded into each Node that the README's lines start: only this machine can be reached. What is tried besides fails, and
// is noted in a file, since whoever tried it may take no notice of the failure.
import { appendFileSync } from "node:fs";
import { Socket } from "node:net";

const HERE = ["127.0.0.1", "::1", "localhost"];
const { connect } = Socket.prototype;

Socket.prototype.connect = function (...given) {
  // Either what a caller of it gives, or an array of that, from within Node: a port and a host, a path, or options.
  const [first, second] = Array.isArray(given[0]) ? given[0] : given;
  const isPath = typeof first === "string" && Number.isNaN(Number(first));
  const options = typeof first === "object" ? first : { path: isPath ? first : undefined, host: second };
  const host = typeof options.host === "string" ? options.host : "localhost";
  if (!options.path && !HERE.includes(host)) {
    appendFileSync(process.env.TAILRACE_TRIED, `${process.argv[1]}: ${host}\n`);
    throw new Error(`${host} is not this machine`);
  }
  return connect.apply(this, given);
};
