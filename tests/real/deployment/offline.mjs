// Loaded into each Node that the README's lines start: only this machine can be reached. What is tried besides fails, and
// is noted in a file, since whoever tried it may take no notice of the failure.
import { appendFileSync } from "node:fs";
import { Socket } from "node:net";

const HERE = ["127.0.0.1", "::1", "localhost"];
const { connect } = Socket.prototype;

Socket.prototype.connect = function (...given) {
  // Either what a caller of it gives, or an array of that, from within Node.
  const [first, second] = Array.isArray(given[0]) ? given[0] : given;
  const { path, host = "localhost" } = typeof first === "object" ? first : { path: undefined, host: namedHost(second) };
  if (path === undefined && !HERE.includes(host)) {
    appendFileSync(process.env.TAILRACE_TRIED, `${process.argv[1]}: ${host}\n`);
    throw new Error(`${host} is not this machine`);
  }
  return connect.apply(this, given);
};

/** The host of `connect(port, host)`. */
function namedHost(second) {
  return typeof second === "string" ? second : undefined;
}
