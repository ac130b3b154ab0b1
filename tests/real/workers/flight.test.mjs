// What a flight tells those who have joined it, in the order in which it happens.
import assert from "node:assert/strict";
import test from "node:test";
import { Flight } from "../../../platform/workers/js/flight.mjs";

test("who joins before anything is noted hears of the note first, and then of the answer", async () => {
  const flight = new Flight("a");
  const first = flight.next();
  flight.note(7);
  assert.equal(await first, undefined);
  assert.equal(flight.noted, 7);
  const second = flight.next();
  flight.note(9);
  flight.land(["kept"]);
  assert.deepEqual(await second, ["kept"]);
});

test("where nothing is noted, who has joined hears of the answer", async () => {
  const flight = new Flight("b");
  const next = flight.next();
  flight.land(["kept"]);
  assert.deepEqual(await next, ["kept"]);
});
