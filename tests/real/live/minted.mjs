// Tokens, as whoever has a deployment's keys makes them.
import { createHmac } from "node:crypto";

/** A token of the first of these keys that lasts for so many seconds; `claims` replace its own. */
export function minted(keys, claims = {}, lastsS = 60) {
  const [id, key] = keys.split(",")[0].split(":");
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1_000) + lastsS;
  const text = `${part({ alg: "HS256", kid: id })}.${part({ sub: "_default", scope: "write", exp, ...claims })}`;
  return `${text}.${createHmac("sha256", Buffer.from(key, "base64url")).update(text).digest("base64url")}`;
}
