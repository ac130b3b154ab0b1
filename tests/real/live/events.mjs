// Parses Server-Sent Events by the rules of the format alone: a line ends with CR, LF or both, and whatever follows may
// be a field. So a payload that could forge an event would do so here.

export class Events {
  /** How many comments have come. A server that has nothing to say sends them to keep the connection alive. */
  comments = 0;
  // The server must send valid UTF-8, whatever bytes a stream holds.
  #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #text = "";
  #name = "";
  #lines = [];

  /** The events that these bytes complete, each with its name and data. */
  take(bytes) {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    const events = [];
    let at = 0;
    // A CR at the end of the text may be the first half of a CRLF.
    for (const end of this.#text.matchAll(/\r\n|\n|\r(?!$)/g)) {
      const event = this.#line(this.#text.slice(at, end.index));
      if (event !== null) events.push(event);
      at = end.index + end[0].length;
    }
    this.#text = this.#text.slice(at);
    return events;
  }

  /** The event that this line completes, or null. */
  #line(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) {
      this.comments += 1;
      return null;
    }
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (field === "event") this.#name = value;
    if (field === "data") this.#lines.push(value);
    return null;
  }

  #dispatch() {
    const event = { name: this.#name || "message", data: this.#lines.join("\n") };
    const isEmpty = this.#lines.length === 0;
    this.#name = "";
    this.#lines = [];
    return isEmpty ? null : event;
  }
}
