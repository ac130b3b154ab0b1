// What a flight tells those who have joined it, in the order in which it happens.
import assert from "node:assert/strict";
import test from "node:test";
import { EdgeIo } from "../../../platform/workers/js/edge_io.mjs";
import { Flight } from "../../../platform/workers/js/flight.mjs";

// How an operation ended: platform/workers/src/outcome.rs.
const KEPT = 12;
const NOTED = 13;
const AGED = 16;

test("who joins before anything is noted hears of the note first, and then of the answer", async () => {
  const flight = new Flight("a");
  const first = flight.next();
  flight.note(7);
  assert.equal(await first, undefined);
  assert.equal(flight.noted, 7);
  const second = flight.next();
  flight.note(9);
  flight.land(["kept"], 0);
  assert.deepEqual(await second, { kept: ["kept"], ageS: 0 });
});

test("where nothing is noted, who has joined hears of the answer", async () => {
  const flight = new Flight("b");
  const next = flight.next();
  flight.land(["kept"], 0);
  assert.deepEqual(await next, { kept: ["kept"], ageS: 0 });
});

test("a request that joins after the note is told of it at once, once, and then of the answer", async () => {
  const [flyer, joiner] = [new EdgeIo(null), new EdgeIo(null)];
  const landing = () => (joiner.landing(10_000), joiner.ended());
  assert.equal(flyer.share("c"), -1);
  assert.ok(joiner.share("c") >= 0);
  flyer.note(7);
  assert.equal(await landing(), NOTED);
  assert.equal(joiner.noted(), 7);
  const landed = landing();
  flyer.note(9);
  flyer.keepOwn(204, "", new Uint8Array());
  flyer.land(0);
  assert.equal(await landed, KEPT);
  assert.equal(joiner.keptStatus(), 204);
});

test("who has joined is told of an answer that was long on its way, and for how long", async () => {
  const [flyer, joiner] = [new EdgeIo(null), new EdgeIo(null)];
  flyer.share("d");
  joiner.share("d");
  joiner.landing(10_000);
  flyer.keepOwn(200, "", new Uint8Array());
  flyer.land(3);
  assert.equal(await joiner.ended(), AGED);
  assert.deepEqual([joiner.keptStatus(), joiner.landedAge()], [200, 3]);
});
