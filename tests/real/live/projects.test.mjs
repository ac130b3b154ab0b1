// Several projects, on the real runtime: their objects, KV, and what the edge knows of them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { send } from "../workers/client.mjs";
import { minted } from "./minted.mjs";

const { TAILRACE_PROJECTS_URL: origin, TAILRACE_ROOT_KEY: root, TAILRACE_KEYED_KEYS: own } = process.env;
if (!origin || !root || !own) {
  throw new Error("TAILRACE_PROJECTS_URL, TAILRACE_ROOT_KEY and TAILRACE_KEYED_KEYS are not set");
}

/** For how long the edge goes by what it knows of a project, and by that there is none, in ms. */
const FRESH_MS = 30_000;
const ABSENT_MS = 5_000;

/**
 * How many requests a second are made while keys change: of those who may, and of those who may not, who are a quarter.
 * Other suites measure time beside this one, so it makes few unless it is told to.
 */
const RIGHTFUL = Number(process.env.TAILRACE_RIGHTFUL ?? 40);
const FORGED = RIGHTFUL / 4;

let count = 0;
const name = () => `p${process.pid}-${(count += 1)}`;
const bearer = (key, claims) => ({ authorization: `Bearer ${minted(key, claims)}` });
const operator = () => bearer(root, { sub: "_root", scope: "manage" });
const ask = (method, path, headers, body = null) =>
  send(method, `${origin}${path}`, { headers: { "content-type": "text/plain", ...headers }, body });
const told = (answer) => JSON.parse(answer.body);
const text = ({ id, secret }) => `${id}:${secret}`;

/** Creates a project, and returns its first key once the edge knows it. */
async function created(project) {
  const answer = await ask("PUT", `/v1/projects/${project}`, operator());
  assert.equal(answer.status, 201, answer.body);
  const { key, usableAt } = told(answer);
  assert.ok(usableAt * 1000 >= Date.now() + 119_000, `usable at ${usableAt}`);
  // It has been asked for before it was there. KV is seen at once here.
  await sleep(ABSENT_MS + 100);
  return text(key);
}

describe("several projects", { concurrency: true }, () => {
  test("a project is created, shown, listed and deleted, and its streams are nobody's then", async () => {
    const project = name();
    const path = `/v1/stream/${project}/a`;
    assert.equal((await ask("GET", `/v1/projects/${project}`, operator())).status, 404);
    const key = await created(project);
    assert.equal((await ask("PUT", `/v1/projects/${project}`, operator())).status, 200, "it is there");
    const manager = bearer(key, { sub: project, scope: "manage" });
    const shown = await ask("GET", `/v1/projects/${project}`, manager);
    assert.equal(shown.status, 200);
    assert.deepEqual(told(shown).keys.map(({ id }) => id), [key.split(":")[0]]);
    assert.ok(!shown.body.includes(key.split(":")[1]), "no secret is told again");
    assert.match(shown.headers["cache-control"], /no-store/);
    const listed = told(await ask("GET", "/v1/projects", operator())).projects;
    assert.ok(listed.includes(project), `${listed}`);
    assert.equal((await ask("PUT", path, manager)).status, 201);
    assert.equal((await ask("POST", path, manager, "of the project")).status, 204);
    assert.equal(String((await ask("GET", path, manager)).body), "of the project");
    assert.equal((await ask("DELETE", `/v1/projects/${project}`, manager)).status, 403);
    assert.equal((await ask("DELETE", `/v1/projects/${project}`, operator())).status, 204);
    await sleep(FRESH_MS + 500);
    assert.equal((await ask("GET", path, manager)).status, 401);
    assert.equal((await ask("GET", path, {})).status, 401);
    assert.ok(!told(await ask("GET", "/v1/projects", operator())).projects.includes(project));
  });

  test("two projects never see each other", async () => {
    const projects = [name(), name()];
    const keys = await Promise.all(projects.map(created));
    const tokens = keys.map((key, index) => bearer(key, { sub: projects[index], scope: "manage" }));
    for (const [index, project] of projects.entries()) {
      assert.equal((await ask("PUT", `/v1/stream/${project}/same`, tokens[index])).status, 201);
      assert.equal((await ask("POST", `/v1/stream/${project}/same`, tokens[index], project)).status, 204);
    }
    for (const [index, project] of projects.entries()) {
      assert.equal(String((await ask("GET", `/v1/stream/${project}/same`, tokens[index])).body), project);
      const other = tokens[1 - index];
      const forged = bearer(keys[1 - index], { sub: project, scope: "manage" });
      for (const method of ["GET", "HEAD", "PUT", "POST", "DELETE"]) {
        assert.equal((await ask(method, `/v1/stream/${project}/same`, other)).status, 401, method);
        assert.equal((await ask(method, `/v1/stream/${project}/same`, forged)).status, 401, method);
      }
      assert.equal((await ask("POST", `/v1/projects/${project}/keys`, other)).status, 401);
    }
  });

  test("the operator's tool creates, shows, changes and removes a project", async () => {
    const project = name();
    const folder = await mkdtemp(join(tmpdir(), "tailrace-"));
    // The root key is in the environment.
    const tool = async (...command) => {
      const all = ["tailrace", "project", ...command, "--url", origin];
      return (await promisify(execFile)("cargo", all, { cwd: join(import.meta.dirname, "../../..") })).stdout;
    };
    const key = async (file) => {
      const [, id, secret, usableAt] =
        (await readFile(file, "utf8")).match(/^TAILRACE_KEYS=([\w-]+):([\w-]{43})\nTAILRACE_KEYS_USABLE_AT=(\d+)\n$/);
      assert.ok(Number(usableAt) * 1000 > Date.now());
      return { id, text: `${id}:${secret}` };
    };
    const [first, second] = ["first.env", "second.env"].map((file) => join(folder, file));
    try {
      assert.match(await tool("create", project, "--out", first), /^the key [\w-]+ is in .*first.env, and signs from 20/);
      const own = await key(first);
      assert.match(await tool("origins", project, "https://a.test"), /is for https:\/\/a.test/);
      // What a new key signs is accepted later, so it is not asked for with that here.
      await tool("key", "add", project, "--out", second);
      const next = await key(second);
      const shown = await tool("show", project);
      for (const expected of [own.id, next.id, "origin  https://a.test"]) {
        assert.ok(shown.includes(expected), shown);
      }
      await tool("key", "remove", project, own.id);
      assert.ok(!(await tool("show", project)).includes(own.id));
      await assert.rejects(tool("key", "remove", project, next.id), /409 last_key/);
      assert.ok((await tool("list")).split("\n").includes(project));
      await sleep(FRESH_MS + 500);
      const path = `/v1/stream/${project}/a`;
      assert.equal((await ask("PUT", path, bearer(next.text, { sub: project, scope: "write" }))).status, 201);
      assert.equal((await ask("GET", path, bearer(own.text, { sub: project, scope: "write" }))).status, 401);
      await tool("remove", project);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("the keys of the deployment are those of its default project, whose streams have its name", async () => {
    const manager = bearer(own, { sub: "_default", scope: "manage" });
    const path = `/v1/stream/_default/${name()}`;
    assert.equal((await ask("PUT", path, manager)).status, 201);
    assert.equal((await ask("POST", "/v1/projects/_default/keys", manager)).status, 400);
    const readerKey = path.replace("/v1/stream/_default/", "/v1/projects/_default/reader-keys/");
    const rotated = await ask("POST", readerKey, manager);
    assert.match(told(rotated).readerKey ?? rotated.headers["stream-reader-key"], /^[\w-]{22}$/);
  });

  test("origins are the project's", async () => {
    const project = name();
    const key = await created(project);
    const manager = bearer(key, { sub: project, scope: "manage" });
    const path = `/v1/projects/${project}/origins`;
    assert.equal(told(await ask("PUT", path, manager, '["http://a.test/"]')).error.code, "invalid_origin");
    assert.equal((await ask("PUT", path, manager, '["http://a.test"]')).status, 204);
    await sleep(FRESH_MS + 500);
    const allowed = async (from) => {
      const { headers } = await ask("GET", `/v1/stream/${project}/a`, { ...manager, origin: from });
      return headers["access-control-allow-origin"];
    };
    assert.deepEqual([await allowed("http://a.test"), await allowed("http://b.test")], ["http://a.test", undefined]);
  });

  test("keys are replaced under load, and whoever has a right to it is never refused", async () => {
    const project = name();
    let key = await created(project);
    const manager = () => bearer(key, { sub: project, scope: "manage" });
    const path = `/v1/stream/${project}/busy`;
    assert.equal((await ask("PUT", path, manager())).status, 201);
    const statuses = { rightful: {}, forged: {} };
    let isOver = false;
    const load = async (kind, aSecond, token) => {
      const under = [];
      while (!isOver) {
        const told = ({ status }) => (statuses[kind][status] = (statuses[kind][status] ?? 0) + 1);
        under.push(ask("GET", path, token()).then(told));
        await sleep(1000 / aSecond);
      }
      await Promise.all(under);
    };
    // Forgeries name a key that there is, or one that there is not.
    let forgeries = 0;
    const forged = () => {
      const id = (forgeries += 1) % 2 === 0 ? key.split(":")[0] : "none";
      return bearer(`${id}:${"A".repeat(43)}`, { sub: project });
    };
    const loads = [load("rightful", RIGHTFUL, manager), load("forged", FORGED, forged)];
    await sleep(1_000);
    const added = await ask("POST", `/v1/projects/${project}/keys`, manager());
    assert.equal(added.status, 201, added.body);
    const next = text(told(added).key);
    assert.equal((await ask("DELETE", `/v1/projects/${project}/keys/${next.split(":")[0]}x`, manager())).status, 404);
    // The edge knows it by then: KV is seen at once here, so it is not as long as `usableAt` says.
    await sleep(FRESH_MS + 500);
    const [before, removed] = [key, key.split(":")[0]];
    key = next;
    await sleep(1_000);
    assert.equal((await ask("DELETE", `/v1/projects/${project}/keys/${removed}`, manager())).status, 204);
    const last = await ask("DELETE", `/v1/projects/${project}/keys/${key.split(":")[0]}`, manager());
    assert.equal(told(last).error.code, "last_key");
    await sleep(FRESH_MS + 500);
    isOver = true;
    await Promise.all(loads);
    assert.equal((await ask("GET", path, bearer(before, { sub: project, scope: "manage" }))).status, 401);
    assert.deepEqual(Object.keys(statuses.rightful), ["200"], JSON.stringify(statuses));
    assert.deepEqual(Object.keys(statuses.forged), ["401"], JSON.stringify(statuses));
    assert.ok(statuses.rightful[200] > 30 * RIGHTFUL, JSON.stringify(statuses));
    console.log(`${statuses.rightful[200]} of the rightful, ${statuses.forged[401]} forgeries`);
  });
});
