// What Rust calls for an object. The methods are documented where they are bound: src/io.rs.
//
// An array that Rust passes is a view of the wasm instance's memory and valid only during the call. What is needed
// longer is copied.

import { plain } from "./reply.mjs";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

// Kinds of a parameter and of a value: src/param.rs, src/row.rs.
const NULL = 0;
const NUMBER = 1;
const TEXT = 2;
const BLOB = 3;

/** The code of a normal closure (RFC 6455, section 7.4.1). */
const NORMAL = 1000;

/** An object's storage, bucket, KV, alarm, sockets and answers. */
export class ObjectIo {
  /** The outcome of the last call into Rust, if it ended without waiting. */
  outcome;
  #ctx;
  #bucket;
  #kv;
  #storage;
  #sql;
  #rows = null;
  #rowsRead = 0;
  #rowsWritten = 0;
  /** The functions that take the outcomes of calls that wait in Rust, by the number of the call. */
  #waiting = new Map();

  constructor(ctx, bucket, kv) {
    this.#ctx = ctx;
    this.#bucket = bucket;
    this.#kv = kv;
    this.#storage = ctx.storage;
    this.#sql = ctx.storage.sql;
  }

  answer(call, status, fields, body) {
    this.#end(call, plain(status, fields, body));
  }

  alarmEnded(call, failure) {
    this.#end(call, failure);
  }

  #end(call, outcome) {
    const resolve = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (resolve === undefined) this.outcome = outcome;
    else resolve(outcome);
  }

  /** A promise of the outcome of a call that waits in Rust; undefined if the instance is lost. */
  outcomeOf(call) {
    return new Promise((resolve) => this.#waiting.set(call, resolve));
  }

  /** Ends all calls that wait: the wasm instance is lost. */
  lost() {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const resolve of waiting) resolve(undefined);
  }

  upgrade(call, tags, attachment, greeting) {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server, tags.split("\n"));
    server.serializeAttachment(attachment.slice());
    server.send(greeting.slice());
    this.#end(call, client);
  }

  hasSockets() {
    return this.#ctx.getWebSockets().length > 0;
  }

  sockets(tag) {
    return this.#ctx.getWebSockets(tag);
  }

  broadcast(tag, message, close, mostBytes) {
    const sockets = this.#ctx.getWebSockets(tag);
    if (sockets.length === 0 || sockets.length * message.length > mostBytes) return sockets.length;
    const bytes = message.slice();
    for (const socket of sockets) {
      let last = close;
      try {
        socket.send(bytes);
      } catch {
        // The socket is closed, or its peer has closed it. A reader that missed this message must not get the next one.
        last = true;
      }
      if (last) this.close(socket);
    }
    return sockets.length;
  }

  cut() {
    for (const socket of this.#ctx.getWebSockets()) this.close(socket);
  }

  send(socket, message) {
    try {
      socket.send(message.slice());
    } catch {
      this.close(socket);
    }
  }

  close(socket) {
    try {
      socket.close(NORMAL, "");
    } catch {
      // It is closed already.
    }
  }

  attachment(socket) {
    return socket.deserializeAttachment() ?? new Uint8Array();
  }

  exec(sql, params, rowLimit, byteBudget, out) {
    const cursor = params.length > 0 ? this.#sql.exec(sql, ...values(params)) : this.#sql.exec(sql);
    const length = rowLimit > 0 ? this.#collect(cursor, rowLimit, byteBudget, out) : 0;
    this.#rowsRead += cursor.rowsRead;
    this.#rowsWritten += cursor.rowsWritten;
    return length;
  }

  take(out) {
    const rows = this.#rows;
    this.#rows = null;
    return write(rows, out);
  }

  transaction(body) {
    this.#storage.transactionSync(body);
  }

  setAlarm(atMs) {
    // Nobody has to wait for the promise: like every write, this one holds back later answers until it is durable. If it
    // is rejected, what was written with it must not stay without its alarm: the reset undoes what is not durable yet.
    this.#storage.setAlarm(atMs).catch((error) => {
      console.error("an alarm was not set:", error);
      this.#ctx.abort("an alarm was not set");
    });
    this.#rowsWritten += 1;
  }

  rowsRead() {
    return this.#rowsRead;
  }

  rowsWritten() {
    return this.#rowsWritten;
  }

  databaseBytes() {
    return this.#sql.databaseSize;
  }

  id() {
    return this.#ctx.id.toString();
  }

  put(key, body, absent, limitMs) {
    // `body` is a view of the wasm instance's memory, which may change as soon as this waits.
    const bytes = new Uint8Array(body);
    return within(limitMs, this.#put(key, bytes, absent));
  }

  async #put(key, bytes, absent) {
    await this.#storage.sync();
    const options = absent ? { onlyIf: new Headers({ "if-none-match": "*" }) } : {};
    return (await this.#bucket.put(key, bytes, options)) !== null;
  }

  get(key, start, length, limitMs) {
    return within(limitMs, this.#get(key, start, length));
  }

  async #get(key, start, length) {
    const object = await this.#bucket.get(key, { range: { offset: start, length } });
    return object === null ? null : new Uint8Array(await object.arrayBuffer());
  }

  delete(keys, limitMs) {
    return within(limitMs, this.#delete(keys.split("\n").slice(0, -1)));
  }

  async #delete(keys) {
    await this.#storage.sync();
    await this.#bucket.delete(keys);
  }

  readKv(key, limitMs) {
    return within(limitMs, this.#readKv(key));
  }

  async #readKv(key) {
    return await this.#kv.get(key);
  }

  putKv(key, text, note, limitMs) {
    return within(limitMs, this.#putKv(key, text, note));
  }

  async #putKv(key, text, note) {
    await this.#storage.sync();
    await this.#kv.put(key, text, { metadata: { note } });
  }

  list(prefix, after, limit, limitMs) {
    return within(limitMs, this.#list(prefix, after, limit));
  }

  async #list(prefix, after, limit) {
    const options = after === "" ? { prefix, limit } : { prefix, limit, startAfter: after };
    const { objects, truncated } = await this.#bucket.list(options);
    let text = truncated ? "1\n" : "0\n";
    for (const { key, size, uploaded } of objects) text += `${key}\n${size}\n${uploaded.getTime()}\n`;
    return text;
  }

  #collect(cursor, rowLimit, byteBudget, out) {
    const iterator = cursor.raw();
    const rows = [];
    let room = 1;
    let blobs = 0;
    for (let step = iterator.next(); !step.done; step = iterator.next()) {
      const row = step.value;
      rows.push(row);
      for (let index = 0; index < row.length; index += 1) {
        const value = row[index];
        if (typeof value === "number") room += 9;
        else if (value === null) room += 1;
        else if (typeof value === "string") room += 5 + 3 * value.length;
        else {
          room += 5 + value.byteLength;
          blobs += value.byteLength;
        }
      }
      if (blobs >= byteBudget) {
        close(cursor);
        break;
      }
      if (rows.length === rowLimit) {
        if (!iterator.next().done) close(cursor);
        break;
      }
    }
    if (rows.length === 0) return 0;
    if (room <= out.length) return write(rows, out);
    this.#rows = rows;
    return room;
  }
}

/** A promise of what a call brings; it fails once `limitMs` have passed. The call itself goes on. */
function within(limitMs, call) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
    call.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Closes a statement that has rows left: as long as it is open, its table cannot be dropped. */
function close(cursor) {
  try {
    cursor.one();
  } catch {
    // `one` throws unless exactly one row is left, and closes the statement.
  }
}

/** The values of parameters, each of which comes as three doubles: its kind, its value or address, its length. */
function values(params) {
  const list = [];
  for (let index = 0; index < params.length; index += 3) {
    const kind = params[index];
    const value = params[index + 1];
    if (kind === NUMBER) list.push(value);
    else if (kind === NULL) list.push(null);
    else {
      const bytes = new Uint8Array(params.buffer, value, params[index + 2]);
      list.push(kind === BLOB ? bytes : decoder.decode(bytes));
    }
  }
  return list;
}

/** Writes rows, which all have the same number of columns. Returns how many bytes they take. */
function write(rows, out) {
  const view = new DataView(out.buffer, out.byteOffset, out.length);
  view.setUint8(0, rows[0].length);
  let at = 1;
  for (const row of rows) {
    for (let index = 0; index < row.length; index += 1) {
      const value = row[index];
      if (typeof value === "number") {
        view.setUint8(at, NUMBER);
        view.setFloat64(at + 1, value, true);
        at += 9;
      } else if (value === null) {
        view.setUint8(at, NULL);
        at += 1;
      } else if (typeof value === "string") {
        const { written } = encoder.encodeInto(value, out.subarray(at + 5));
        view.setUint8(at, TEXT);
        view.setUint32(at + 1, written, true);
        at += 5 + written;
      } else {
        view.setUint8(at, BLOB);
        view.setUint32(at + 1, value.byteLength, true);
        out.set(new Uint8Array(value), at + 5);
        at += 5 + value.byteLength;
      }
    }
  }
  return at;
}
