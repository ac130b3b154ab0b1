// A stand-in of the API by which wrangler deploys, for an account that has no Worker, no bucket and no KV yet. It tells its port,
// and keeps in a folder what it is sent:
//
// | file | what it holds |
// | --- | --- |
// | requests.json | every request, byte for byte (latin1), and the status of its answer |
// | metadata.json | what comes with the Worker's modules |
// | modules.json | their names and types |
// | modules/ | those that the runtime loads |
//
// A request that it does not know is answered 501. Wrangler may go on after that, `upload.test.mjs` does not.
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, normalize } from "node:path";

const folder = process.argv[2];
const requests = [];
const buckets = [];
const namespaces = [];
let isUploaded = false;
let subdomain = { enabled: false, previews_enabled: false };

const result = (value) => ({ status: 200, value });
const noWorker = () => ({ status: 404, errors: [{ code: 10007, message: "There is no such Worker." }] });

const ACCOUNT = "/accounts/stand-in";
const SCRIPT = `${ACCOUNT}/workers/scripts/tailrace`;
/** The id of the namespace of KV that is made. */
const NAMESPACE = "0123456789abcdef0123456789abcdef";
/** What is answered, by method and path. */
const ROUTES = {
  [`GET ${ACCOUNT}/workers/services/tailrace`]: noWorker,
  [`GET ${ACCOUNT}/workers/subdomain`]: () => result({ subdomain: "stand-in" }),
  [`GET ${ACCOUNT}/workers/workers/tailrace`]: () => (isUploaded ? result({ subdomain }) : noWorker()),
  [`GET ${SCRIPT}/secrets`]: noWorker,
  [`GET ${SCRIPT}/settings`]: noWorker,
  [`GET ${SCRIPT}/deployments`]: noWorker,
  [`GET ${ACCOUNT}/r2/buckets`]: () => result({ buckets: buckets.map((name) => ({ name })) }),
  [`POST ${ACCOUNT}/r2/buckets`]: (body) => {
    buckets.push(JSON.parse(body).name);
    return result({});
  },
  [`GET ${ACCOUNT}/storage/kv/namespaces`]: () => result(namespaces),
  [`POST ${ACCOUNT}/storage/kv/namespaces`]: (body) => {
    const { title } = JSON.parse(body);
    namespaces.push({ id: NAMESPACE, title });
    return result({ id: NAMESPACE, title });
  },
  [`PUT ${SCRIPT}`]: async (body, type) => {
    await keep(await new Response(body, { headers: { "content-type": type } }).formData());
    isUploaded = true;
    return result({ id: "tailrace", etag: "1", tag: "1", deployment_id: "0".repeat(32), startup_time_ms: 1 });
  },
  [`POST ${SCRIPT}/subdomain`]: (body) => {
    subdomain = JSON.parse(body);
    return result(subdomain);
  },
};

/** Writes an upload into files. */
async function keep(form) {
  const modules = [];
  mkdirSync(join(folder, "modules"));
  for (const [name, part] of form) {
    if (name === "metadata") {
      writeFileSync(join(folder, "metadata.json"), part);
      continue;
    }
    modules.push({ name: normalize(name), type: part.type });
    // The runtime never sees the map of a source.
    if (part.type !== "application/source-map") {
      writeFileSync(join(folder, "modules", normalize(name)), await part.bytes());
    }
  }
  writeFileSync(join(folder, "modules.json"), JSON.stringify(modules));
}

const server = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray());
  const { method, headers, url } = request;
  const { pathname } = new URL(url, "http://stand-in");
  const unknown = () => ({ status: 501, errors: [{ code: 1, message: `The stand-in does not know ${method} ${url}.` }] });
  const answer = ROUTES[`${method} ${pathname}`] ?? unknown;
  const { status, value = null, errors = [] } = await answer(body, headers["content-type"]);
  requests.push({ method, url, headers, body: body.toString("latin1"), status });
  // Written before the answer, so that all is there once wrangler has ended.
  writeFileSync(join(folder, "requests.json"), JSON.stringify(requests));
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ success: status === 200, errors, messages: [], result: value }));
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ event: "listen", port: server.address().port })));
