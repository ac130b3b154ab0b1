// What wrangler has sent to the stand-in of its API, asserted to the last field. The environment says where it is.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const FOLDER = process.env.TAILRACE_RECEIVED;
/** The whole value of the secret. */
const KEYS = process.env.TAILRACE_DEPLOYED_KEYS;
/** The part of it that nobody may know. */
const KEY = KEYS.split(":")[1];

const text = (name) => readFileSync(join(FOLDER, name), "utf8");
const json = (name) => JSON.parse(text(name));
const requests = json("requests.json");
const { bindings, package_dependencies: _, ...metadata } = json("metadata.json");

/** Every binding that a deployment has, in the order of their names. One line each. */
const BINDINGS = [
  { name: "PROJECTS", type: "durable_object_namespace", class_name: "ProjectObject" },
  { name: "REGISTRY", type: "kv_namespace", namespace_id: "0123456789abcdef0123456789abcdef" },
  { name: "SEGMENTS", type: "r2_bucket", bucket_name: "tailrace-segments" },
  { name: "STREAMS", type: "durable_object_namespace", class_name: "StreamObject" },
  { name: "TAILRACE_KEYS", type: "secret_text", text: KEYS },
];

test("every request is one that is known, by the account's token", () => {
  for (const { method, url, status, headers } of requests) {
    assert.notEqual(status, 501, `${method} ${url}`);
    assert.equal(headers.authorization, `Bearer ${process.env.TAILRACE_API_TOKEN}`, `${method} ${url}`);
  }
});

test("the modules are the entry, its source map, and the wasm that was built", () => {
  const modules = json("modules.json").sort((one, other) => (one.name < other.name ? -1 : 1));
  const wasm = modules.find(({ type }) => type === "application/wasm")?.name;
  assert.match(wasm, /^[0-9a-f]{40}-index_bg\.wasm$/);
  assert.deepEqual(modules, [
    { name: wasm, type: "application/wasm" },
    { name: "entry.js", type: "application/javascript+module" },
    { name: "entry.js.map", type: "application/source-map" },
  ]);
  assert.deepEqual(readdirSync(join(FOLDER, "modules")).sort(), [wasm, "entry.js"]);
  const sent = readFileSync(join(FOLDER, "modules", wasm));
  assert.ok(sent.equals(readFileSync(process.env.TAILRACE_BUILT_WASM)), "another wasm than the one that was built");
});

test("these are the bindings, and the bucket and the namespace were created", () => {
  assert.deepEqual(bindings.sort((one, other) => (one.name < other.name ? -1 : 1)), BINDINGS);
  const created = requests.filter(({ method, url }) => method === "POST" && url.endsWith("/r2/buckets"));
  assert.deepEqual(created.map(({ body }) => JSON.parse(body)), [{ name: "tailrace-segments" }]);
  const made = requests.filter(({ method, url }) => method === "POST" && url.includes("/storage/kv/namespaces"));
  assert.deepEqual(made.map(({ body }) => JSON.parse(body)), [{ title: "tailrace-registry" }]);
});

test("this is everything else that is said of the Worker", () => {
  const [, date] = readFileSync("wrangler.toml", "utf8").match(/^compatibility_date = "(.+)"$/m);
  assert.deepEqual(metadata, {
    main_module: "entry.js",
    compatibility_date: date,
    compatibility_flags: ["enable_request_signal"],
    migrations: {
      new_tag: "v2",
      steps: [{ new_sqlite_classes: ["StreamObject"] }, { new_sqlite_classes: ["ProjectObject"] }],
    },
    observability: { enabled: true, redact_query_string: true },
    limits: { cpu_ms: 30_000 },
    cache_options: { enabled: true },
    exports: {
      default: { type: "worker", cache: { enabled: false } },
      CachedReads: { type: "worker", cache: { enabled: true } },
    },
    // What wrangler says by itself: secrets of earlier deployments stay, and objects take to a new version within minutes.
    keep_bindings: ["secret_text", "secret_key"],
    code_update_strategy: { mode: "deferred", max_delay: 300 },
  });
});

test("it is served at the account's subdomain, and no preview of it is", () => {
  const said = requests.filter(({ method, url }) => method === "POST" && url.endsWith("/subdomain"));
  assert.deepEqual(said.map(({ body }) => JSON.parse(body)), [{ enabled: true, previews_enabled: false }]);
});

test("the key is in the upload, once, and nowhere else", () => {
  const times = (whole) => whole.split(KEY).length - 1;
  for (const { method, url, headers, body } of requests) {
    assert.equal(times(url) + times(JSON.stringify(headers)), 0, `${method} ${url}`);
    assert.equal(times(body), method === "PUT" ? 1 : 0, `${method} ${url}`);
  }
  const kept = readdirSync(join(FOLDER, "home"), { recursive: true, withFileTypes: true });
  const logs = kept.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  assert.ok(logs.some((log) => log.endsWith(".log")), "wrangler has left no log");
  for (const log of [...logs, join(FOLDER, "printed.txt")]) {
    assert.equal(times(readFileSync(log, "latin1")), 0, log);
  }
});

test("no token is sent or printed anywhere", () => {
  // What each begins with: `{"alg":` in base64url.
  assert.ok(!text("requests.json").includes("eyJhbGciOi"));
  assert.ok(!text("printed.txt").includes("eyJhbGciOi"));
});

test("nothing beyond this machine was asked for", () => {
  const tried = join(FOLDER, "tried.txt");
  assert.equal(existsSync(tried) ? readFileSync(tried, "utf8") : "", "");
});
