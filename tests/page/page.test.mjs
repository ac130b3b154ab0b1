// The page that `cargo sim bill --html` writes, in a browser: that nothing is wrong with it on a wide screen and on a
// narrow one, and that each thing which could be wrong would be noticed.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { pathToFileURL } from "node:url";
import { Browser } from "../real/live/browser.mjs";
import { LEAST_CONTRAST, look } from "./look.mjs";

const { TAILRACE_CHROMIUM: program, TAILRACE_PAGE: path } = process.env;
if (!program || !path) throw new Error("TAILRACE_CHROMIUM and TAILRACE_PAGE are not set: a browser, and the page");

const LIMIT_MS = 15_000;
const HEIGHT = 900;
const SCREENS = [
  { width: 1300, scheme: "light" },
  { width: 420, scheme: "dark" },
  { width: 1300, scheme: "dark" },
  { width: 420, scheme: "light" },
];
/** A page that is broken on purpose is looked at on the first two: on one of each width and of each scheme. */
const BROKEN_SCREENS = SCREENS.slice(0, 2);

const WORKER = "immutable-and-long-poll, sse 1800 s";
const ZONE = "zone-silence, tiered, long-poll 20 s";
const GATEWAY = "gateway, sse 1800 s";
const BY_LATENCY =
  "Dollars a month, by how long half of all messages take at most (ringed: nothing is both cheaper and faster)";
const PLOTS = [
  { title: "Dollars a month, by readers", across: "readers at any time", names: [WORKER, ZONE, GATEWAY] },
  { title: "Dollars a month, by messages", across: "messages a month", names: [WORKER, ZONE, GATEWAY] },
  { title: "Dollars a month, by how long connections last", across: "seconds", names: [WORKER, GATEWAY] },
  { title: BY_LATENCY, across: "ms", names: [WORKER, ZONE, GATEWAY] },
];

/**
 * What breaks the page: which kind of complaint it brings, and what is put in the place of what. The first place is
 * taken, which is one of the first plot or of the table.
 */
const BREAKS = [
  ["document", "<html lang=\"en\">", "<html>"],
  ["document", /<title>.*?<\/title>/, ""],
  ["console", "</body>", "<script>console.error('a fault')</script></body>"],
  ["console", "</body>", "<script>undefined.x</script></body>"],
  ["network", "</body>", "<img alt=\"\" src=\"https://tailrace.invalid/x.png\"></body>"],
  ["network", "<style>", "<style>@import url(https://tailrace.invalid/x.css);"],
  ["network", "</style>", "body{background-image:url(beside.png)}</style>"],
  ["scroll", ".wide{overflow-x:auto}", ".wide table{min-width:90rem}"],
  ["scroll", ".plots figure{overflow-x:auto}svg{", "svg{flex:none;margin-right:-60rem;"],
  ["plot", /<figure>.*?<\/figure>/, ""],
  ["plot", "<figcaption>Dollars a month, by readers", "<figcaption>Dollars"],
  ["plot", ">readers at any time<", "><"],
  ["plot", ">dollars a month<", "><"],
  ["plot", `>${WORKER}</text>`, "></text>"],
  ["mark", / class="mark"/g, ""],
  ["mark", "</style>", ".mark{fill:none}</style>"],
  ["mark", "</style>", ".mark{visibility:hidden}</style>"],
  ["mark", "</style>", ".mark{fill:#fefefe}</style>"],
  ["mark", /class="mark" cx="[\d.]+"/, "class=\"mark\" cx=\"-70\""],
  ["overlap", /(<text class="name"[^>]* y=")[\d.]+("[^>]*>[^<]*<\/text><text class="name"[^>]* y=")[\d.]+/, "$1200$2204"],
  ["outside", /<text class="name" x="[\d.]+"/, "<text class=\"name\" x=\"780\""],
  ["outside", /<text class="across" x="([\d.]+)" y="[\d.]+"/, "<text class=\"across\" x=\"$1\" y=\"380\""],
  ["names", `<td>${ZONE}</td>`, "<td></td>"],
  ["names", "</style>", "tbody td:first-child{padding-left:80rem}</style>"],
  ["contrast", "svg text.name{fill:#1b1b1b}", "svg text.name{fill:#cc79a7}"],
  ["contrast", "color:#1b1b1b;", "color:#888;"],
  ["contrast", "background:#fff}", "background:#fff}@media(prefers-color-scheme:dark){body{background:#222}}"],
  ["accessible", / role="img" aria-label="[^"]*"/, ""],
  ["accessible", / aria-label="[^"]*"/, " aria-label=\"\""],
];

let browser;
let folder;
let text;
before(async () => {
  [browser, folder, text] = await Promise.all([
    Browser.start(program), mkdtemp(join(tmpdir(), "tailrace-page-")), readFile(path, "utf8"),
  ]);
});
after(async () => {
  await browser?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** All complaints about a file on a screen, by their kind. */
async function complaints(file, { width, scheme }) {
  const url = pathToFileURL(file).href;
  const [console, network] = [[], []];
  const page = await browser.open("about:blank", (method, params) => {
    if (method === "Runtime.exceptionThrown") console.push(params.exceptionDetails.text);
    if (method === "Runtime.consoleAPICalled") console.push(`${params.type}: ${params.args[0]?.value}`);
    if (method === "Log.entryAdded") console.push(params.entry.text);
    if (method === "Network.requestWillBeSent" && params.request.url !== url) network.push(params.request.url);
  });
  await Promise.all(["Page", "Runtime", "Log", "Network", "Accessibility"].map((name) => page.call(`${name}.enable`)));
  await page.call("Emulation.setDeviceMetricsOverride", { width, height: HEIGHT, deviceScaleFactor: 1, mobile: false });
  await page.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  await page.call("Page.navigate", { url });
  // Whatever the page loads is loaded or has failed by then.
  await page.until("[location.href, document.readyState]", ([at, state]) => at === url && state === "complete", LIMIT_MS);
  assert.equal(await page.value(`matchMedia("(prefers-color-scheme: ${scheme})").matches && innerWidth`), width);
  const seen = await page.value(`(${look})(${JSON.stringify(PLOTS)}, ${LEAST_CONTRAST})`);
  const { nodes } = await page.call("Accessibility.getFullAXTree");
  const images = nodes.filter(({ ignored, role }) => !ignored && role?.value === "image").map(({ name }) => name?.value);
  const accessible = PLOTS.map(({ title }) => title).filter((title) => !images.includes(title));
  await page.call("Page.close");
  return { ...seen, console, network, accessible };
}

for (const screen of SCREENS) {
  test(`nothing is wrong with the page at ${screen.width} px, ${screen.scheme}`, async () => {
    const found = await complaints(path, screen);
    assert.deepEqual(found, Object.fromEntries(Object.keys(found).map((kind) => [kind, []])));
  });
}

for (const [number, [kind, what, instead]] of BREAKS.entries()) {
  test(`it would be noticed: ${kind}, ${instead || `no ${what}`}`, async () => {
    const broken = text.replace(what, instead);
    assert.notEqual(broken, text, "the page has nothing of the kind");
    const file = join(folder, `${number}.html`);
    await writeFile(file, broken);
    const found = await Promise.all(BROKEN_SCREENS.map((screen) => complaints(file, screen)));
    assert.ok(found.some((found) => found[kind].length > 0), JSON.stringify(found));
  });
}
