// What the task of a request uses: handles, and operations that it waits for. Rust decides what happens; this object
// does it. The request polls the task in Rust again when an operation has ended (edge_request.mjs).
//
// A handle is what Rust uses and never looks into: the client's body, a reply (an object's, a stored answer, or the inner
// entrypoint's), a kept answer (complete, as plain data), a socket, the body of the answer, a flight (flight.mjs). A task has
// at most one of each kind at a time, and each method here acts on that one.

import * as cache from "./cache.mjs";
import { Download, waitingForClients } from "./download.mjs";
import { Flight, flights } from "./flight.mjs";
import { pipe } from "./pipe.mjs";
import { changed, fieldsOf, plain, respond, statusOf } from "./reply.mjs";
import { Socket } from "./socket.mjs";
import { failureOf } from "./stub.mjs";

// How an operation ended: src/outcome.rs.
const REPLY = 10;
const SOCKET = 11;
const KEPT = 12;
const NOTED = 13;
const ABSENT = 14;
const OVER = 15;
const AGED = 16;
const TIMED_OUT = 21;
const WITHIN = 50;
const TOO_OFTEN = 51;
const UNTOLD = 52;
const TOLD = 53;

// What goes along with a call: src/edge_env.rs.
const BODY = 1;
const WAITING = 2;

const NONE = new Uint8Array();

/** The methods that Rust calls are documented where they are bound: src/io.rs. */
export class EdgeIo {
  // What Rust may read after an operation has ended.
  bytes = NONE;
  header = NONE;
  words = "";

  #request;
  /** A response, or an answer as plain data. */
  #reply = null;
  /** The stored answer that was found, while nobody has asked for its body. */
  #stored = null;
  #kept = null;
  #flight = null;
  /** Whether the task has started its flight, and has not landed it yet. */
  #flies = false;
  /** Whether the task has been told what is noted for those who join its flight. */
  #isTold = false;
  /** The age in s of what the joined flight has brought. */
  #landedAge = 0;
  #socket = null;
  /** How many bytes may wait on a socket until they are taken. */
  #mostBytes = 0;
  #download = null;
  #operation = null;
  #take = null;
  #settle = null;
  #hasEnded = false;

  constructor(request) {
    this.#request = request;
  }

  /** A promise of the outcome of the operation that Rust has started; undefined if the instance is lost meanwhile. */
  ended() {
    const operation = this.#operation;
    this.#operation = null;
    const take = this.#take;
    return new Promise((resolve, reject) => {
      this.#settle = resolve;
      operation.then((brought) => {
        try {
          resolve(take === null ? brought : take.call(this, brought));
        } catch (error) {
          reject(error);
        }
      }, reject);
    });
  }

  /** Tells the task's request that the wasm instance is lost. */
  lost() {
    this.#settle?.(undefined);
  }

  /** The task has ended, or was lost with its instance. */
  end() {
    this.#hasEnded = true;
    // A flight that has not landed never will: nobody may join it any more.
    if (this.#flies) this.#flight.forget();
    this.#dropStored();
    this.closeSocket();
    this.closeDownload();
  }

  /** An operation has started. Its outcome is what it brings, or what `take` makes of that. */
  #start(operation, take = null) {
    this.#operation = operation;
    this.#take = take;
  }

  answer(status, fields, body) {
    this.#request.answer(plain(status, fields, body));
  }

  answerKept(changes) {
    this.#request.answer(changes === undefined ? this.#kept : respond(this.#kept, changes));
  }

  passOn(changes) {
    this.#stored = null;
    this.#request.answer(changed(this.#reply, changes));
  }

  open(status, fields) {
    this.#download = new Download();
    this.#request.answer([status, fields, this.#download.readable]);
  }

  outliveClient() {
    this.#request.outliveClient();
  }

  watchClient() {
    this.#request.watchClient();
  }

  read(limit, withinMs) {
    this.#start(this.#request.upload().read(limit, withinMs));
  }

  drain() {
    this.#start(this.#request.upload().drain());
  }

  call(objectClass, target, nameLength, along, mostBytes) {
    this.#mostBytes = mostBytes;
    this.#dropStored();
    const message = target.slice(nameLength);
    const calling = this.#request.call(
      objectClass,
      target.slice(0, nameLength),
      message,
      along === BODY,
      along === WAITING,
    );
    this.#start(calling, this.#called);
  }

  earlierCall() {
    this.#start(this.#request.calling, this.#called);
  }

  /** The outcome of a call that has brought a response, an answer as plain data, or an error. */
  #called(brought) {
    if (Array.isArray(brought)) {
      this.#reply = brought;
      return REPLY;
    }
    if (!(brought instanceof Response)) {
      this.words = String(brought);
      return failureOf(brought);
    }
    if (!brought.webSocket) {
      this.#reply = brought;
      return REPLY;
    }
    this.#socket = new Socket(brought.webSocket, this.#mostBytes);
    // The task may have ended while the object answered.
    if (this.#hasEnded) this.closeSocket();
    return SOCKET;
  }

  lookUp(key, withinMs) {
    this.#start(this.#inTime(cache.find(key), withinMs), this.#found);
  }

  isWithin(limit, key, withinMs) {
    this.#start(this.#inTime(this.#request.count(limit, key), withinMs), (isWithin) => {
      if (isWithin === undefined) return UNTOLD;
      return isWithin ? WITHIN : TOO_OFTEN;
    });
  }

  readKv(key, withinMs) {
    this.#start(this.#inTime(this.#request.readKv(key), withinMs), this.#told);
  }

  listKv(from, withinMs) {
    this.#start(this.#inTime(this.#request.listKv(from), withinMs), this.#told);
  }

  /** The outcome of what KV has told: a text, null if it has nothing, undefined if it has failed. */
  #told(text) {
    if (text === undefined) return UNTOLD;
    if (text === null) return ABSENT;
    this.words = text;
    return TOLD;
  }

  /** What is found, by a look-up, at a limit or in KV; undefined if that takes longer. What comes then is let go. */
  #inTime(finding, withinMs) {
    return new Promise((resolve) => {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        resolve(undefined);
      }, withinMs);
      finding.then((response) => {
        clearTimeout(timer);
        if (isLate) letGo(response);
        else resolve(response);
      });
    });
  }

  #found(response) {
    if (response === undefined) return ABSENT;
    this.#reply = response;
    this.#stored = response;
    // The task may have ended while the cache answered.
    if (this.#hasEnded) this.#dropStored();
    return REPLY;
  }

  /** Nobody will read the stored answer that was found. */
  #dropStored() {
    letGo(this.#stored);
    this.#stored = null;
  }

  askInner(url) {
    this.#start(this.#request.askInner(url), this.#called);
  }

  store(key, fields) {
    const [status, own, body] = this.#kept;
    this.#start(this.#request.outlasting(cache.keep(key, [status, own + fields, body])), () => OVER);
  }

  remove(key) {
    this.#start(this.#request.outlasting(cache.remove(key)), () => OVER);
  }

  head() {
    return `${statusOf(this.#reply)}\n${fieldsOf(this.#reply)}`;
  }

  keep() {
    this.#start(this.#keep());
  }

  async #keep() {
    const reply = this.#reply;
    try {
      this.#kept = [statusOf(reply), fieldsOf(reply), await bytesOf(reply)];
      return KEPT;
    } catch (error) {
      this.words = String(error);
      return failureOf(error);
    }
  }

  keepOwn(status, fields, body) {
    this.#kept = plain(status, fields, body);
  }

  keptStatus() {
    return this.#kept[0];
  }

  keptHead() {
    const [status, fields] = this.#kept;
    return `${status}\n${fields}`;
  }

  share(key) {
    const flight = flights.get(key);
    this.#flight = flight ?? new Flight(key);
    this.#flies = flight === undefined;
    this.#isTold = false;
    return this.#flies ? -1 : flight.ageMs();
  }

  note(untilMs) {
    this.#flight.note(untilMs);
  }

  noted() {
    return this.#flight.noted;
  }

  land(ageS) {
    this.#flies = false;
    this.#flight.forget();
    this.#flight.land(this.#kept, ageS);
  }

  landedAge() {
    return this.#landedAge;
  }

  landing(waitMs) {
    // Not by the flight's promise: the runtime takes long to tell a request of what another one has done.
    if (!this.#isTold && this.#flight.noted >= 0) {
      this.#isTold = true;
      this.#start(Promise.resolve(NOTED));
      return;
    }
    this.#start(new Promise((resolve) => {
      let isOver = false;
      const end = (outcome) => {
        isOver = true;
        clearTimeout(timer);
        resolve(outcome);
      };
      const timer = setTimeout(() => end(TIMED_OUT), waitMs);
      this.#flight.next().then((landed) => {
        if (isOver) return;
        this.#kept = landed?.kept ?? null;
        this.#landedAge = landed?.ageS ?? 0;
        this.#isTold ||= landed === undefined;
        if (landed === undefined) return end(NOTED);
        end(landed.ageS > 0 ? AGED : KEPT);
      });
    }));
  }

  giveUp() {
    this.#flight.forget();
  }

  sleep(ms) {
    this.#start(new Promise((resolve) => setTimeout(resolve, ms, TIMED_OUT)));
  }

  next(waitMs) {
    this.#start(this.#socket.next(waitMs).then(([outcome, bytes]) => {
      this.bytes = bytes ?? NONE;
      return outcome;
    }));
  }

  push(bytes) {
    return this.#download.push(bytes.slice());
  }

  drained(bufferBytes, waitMs) {
    this.#start(this.#download.drained(bufferBytes, waitMs));
  }

  /** Its outcome is the number of bytes that wait for the client, or a failure. */
  pushReply() {
    this.#start(this.#pushReply());
  }

  async #pushReply() {
    try {
      const bytes = await bytesOf(this.#reply);
      return this.#download.push(bytes ?? NONE);
    } catch (error) {
      this.words = String(error);
      return failureOf(error);
    }
  }

  waitingForClients() {
    return waitingForClients();
  }

  pipe(prefix, headerLength, limits) {
    const piped = pipe(this.#socket, this.#download, prefix.slice(), headerLength, limits.slice());
    this.#start(piped.then(([outcome, message, header]) => {
      this.bytes = message ?? NONE;
      this.header = header ?? NONE;
      return outcome;
    }));
  }

  closeSocket() {
    this.#socket?.close();
    this.#socket = null;
  }

  cutDownload() {
    this.#download?.cut();
    this.#download = null;
  }

  closeDownload() {
    this.#download?.close();
    this.#download = null;
  }
}

/** Nobody will read the body of this response, if there is one. */
function letGo(response) {
  response?.body?.cancel().catch(() => {
    // It has broken off by itself.
  });
}

/** The body of a reply, or null if it has none. */
async function bytesOf(reply) {
  if (Array.isArray(reply)) return reply[2];
  return reply.body === null ? null : new Uint8Array(await reply.arrayBuffer());
}
