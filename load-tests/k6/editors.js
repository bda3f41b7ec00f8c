// People who type into shared documents. What it measures is explained in ../README.md.
//
// Each virtual user is one client of the protocol (../../docs/protocol.md): it says hello, types edits that are due at
// fixed times, whatever the server does, with at most one operation in flight, and reads what everybody types. An edit
// carries the time at which it was due, so that whoever sees it knows how long that took; all of this is one process
// with one clock.

import http from "k6/http";
import { check, fail } from "k6";
import exec from "k6/execution";
import { Counter, Rate, Trend } from "k6/metrics";
import { clearTimeout, setTimeout } from "k6/timers";
import { WebSocket } from "k6/experimental/websockets";

const url = (__ENV.URL || "http://127.0.0.1:8080").replace(/\/$/, "");
const docs = number("DOCS", 10);
const writers = number("WRITERS", 2);
const rate = number("RATE", 2);
const duration = number("DURATION", 30);
const p99 = number("P99", 100);
// Cursors of each person a second; 0 without any.
const cursors = number("CURSORS", 0);

// Seconds that a user gets to connect before, and to see the last edit come back after.
const GRACE = 10;

// Code units from which on users delete more than they insert: documents stay of a size.
const FULL = 5000;

const edits = new Counter("quire_edits");
const operations = new Counter("quire_operations");
const received = new Counter("quire_received");
const refused = new Counter("quire_refused");
const settled = new Rate("quire_settled");
const ackTime = new Trend("quire_ack", true);
const propagation = new Trend("quire_propagation", true);
const cursorTime = new Trend("quire_cursor", true);
const cursorBytes = new Counter("quire_cursor_bytes");
const queryTime = new Trend("quire_presence_query", true);

export const options = {
  scenarios: {
    editors: {
      executor: "per-vu-iterations",
      vus: docs * writers,
      iterations: 1,
      maxDuration: `${duration + 2 * GRACE}s`,
      gracefulStop: "0s",
    },
  },
  thresholds: {
    quire_settled: ["rate==1"],
    quire_refused: ["count==0"],
    // Nearly all that are due: fewer means that this generator does not keep up, and its times mean nothing.
    quire_edits: [`count>=${Math.floor(docs * writers * rate * duration * 0.9)}`],
    quire_ack: [`p(99)<${p99}`],
    quire_propagation: writers > 1 ? [`p(99)<${p99}`] : [],
  },
  summaryTrendStats: ["min", "med", "p(95)", "p(99)", "max", "count"],
};

export function setup() {
  const ids = [];
  for (let n = 0; n < docs; n += 1) {
    const body = JSON.stringify({ title: `load test ${n}`, content: [{ insert: "\n" }] });
    const made = http.post(`${url}/v1/docs`, body, { headers: { "content-type": "application/json" } });
    if (made.status !== 201) fail(`no document was made: ${made.status} ${made.body}`);
    ids.push(made.json("id"));
  }
  return { ids };
}

export function teardown({ ids }) {
  for (const id of ids) http.del(`${url}/v1/docs/${id}?purge=true`);
}

export default function ({ ids }) {
  const vu = exec.vu.idInTest - 1;
  new Editor(ids[vu % ids.length]).begin();
}

/** A client that types. */
class Editor {
  constructor(doc) {
    this.client = uuid();
    this.seq = 0;
    this.version = 0;
    this.length = 0;
    /** The frame in flight, and when the edits that are composed in it were due. */
    this.inFlight = null;
    this.due = [];
    /** Times at which edits were due that wait for the one in flight. */
    this.waiting = [];
    this.typing = true;
    this.timers = [];
    this.doc = doc;
    this.socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/collab/${doc}`, "quire.v1");
  }

  begin() {
    this.socket.onopen = () => this.send({ type: "hello", client: this.client, name: `k6 ${exec.vu.idInTest}` });
    this.socket.onmessage = (event) => this.take(JSON.parse(event.data), event.data.length);
    this.socket.onerror = (event) => console.error(`the socket failed: ${event.error}`);
    this.socket.onclose = () => this.end();
    this.after((duration + 2 * GRACE - 1) * 1000, () => this.socket.close());
  }

  take(frame, bytes) {
    switch (frame.type) {
      case "presence":
        return this.cursors(frame, bytes);
      case "welcome":
        return this.welcome(frame);
      case "ops":
        return this.ops(frame);
      case "error":
        return this.error(frame);
      case "reconnect":
        console.error(`sent away: ${frame.reason}`);
        return undefined;
      default:
        return undefined;
    }
  }

  welcome({ version, content, last_seq: lastSeq }) {
    this.version = version;
    this.seq = lastSeq;
    for (const part of content) this.length += span(part);
    const begin = Date.now();
    // Not all at once: the first edit comes at some point of the first interval.
    const end = begin + duration * 1000;
    this.type(begin + Math.random() * (1000 / rate), end);
    if (cursors > 0) {
      this.move(begin + Math.random() * (1000 / cursors), end);
      this.ask(begin + Math.random() * 1000, end);
    }
  }

  /** Moves the cursor at `due`, and so on until `end`. The state carries when that was. */
  move(due, end) {
    this.after(due - Date.now(), () => {
      if (due >= end || !this.typing) return;
      const cursor = { index: Math.floor(Math.random() * this.length), length: 0 };
      this.send({ type: "presence", base: this.version, state: { cursor, status: "active", due } });
      this.move(due + 1000 / cursors, end);
    });
  }

  /** Asks who is there, once a second. */
  ask(due, end) {
    this.after(due - Date.now(), async () => {
      if (due >= end || !this.typing) return;
      const answer = await http.asyncRequest("GET", `${url}/v1/docs/${this.doc}/presence`);
      if (answer.status === 200) queryTime.add(answer.timings.duration);
      else console.error(`presence is answered with ${answer.status}`);
      this.ask(due + 1000, end);
    });
  }

  cursors({ peers }, bytes) {
    cursorBytes.add(bytes);
    for (const { state, client } of peers)
      if (state?.due !== undefined && client !== this.client) cursorTime.add(Date.now() - state.due);
  }

  /** Types an edit at `due` and plans the next one, until `end`. */
  type(due, end) {
    this.after(due - Date.now(), () => {
      if (due >= end) {
        this.typing = false;
        this.leaveWhenSettled();
        return;
      }
      this.waiting.push(due);
      this.sendNext();
      this.type(due + 1000 / rate, end);
    });
  }

  /** Sends what waits as one operation, unless one is in flight. */
  sendNext() {
    if (this.inFlight !== null || this.waiting.length === 0) return;
    this.due = this.waiting;
    this.waiting = [];
    const text = `${Math.round(this.due[0]).toString(36)} `.padEnd(9 + this.due.length, "x");
    const at = Math.floor(Math.random() * (this.length + 1));
    const spare = this.length > FULL ? Math.min(this.length - at, 2 * text.length) : 0;
    const delta = [{ retain: at }, { insert: text }, { delete: spare }].filter((part) => span(part) > 0);
    this.seq += 1;
    this.inFlight = { type: "op", seq: this.seq, base: this.version, delta };
    this.send(this.inFlight);
  }

  ops({ base, ops }) {
    // Versions that are held already may come again.
    for (const op of ops.slice(this.version - base)) {
      for (const part of op.delta) this.length += change(part);
      this.version += 1;
      if (op.client === this.client) {
        if (this.inFlight !== null && op.seq === this.inFlight.seq) this.acknowledged();
      } else {
        this.received(op.delta);
      }
    }
    this.sendNext();
    this.leaveWhenSettled();
  }

  acknowledged() {
    const now = Date.now();
    operations.add(1);
    edits.add(this.due.length);
    for (const due of this.due) ackTime.add(now - due);
    this.inFlight = null;
  }

  received(delta) {
    received.add(1);
    const typed = delta.find((part) => typeof part.insert === "string");
    const due = typed === undefined ? NaN : parseInt(typed.insert, 36);
    if (!Number.isNaN(due)) propagation.add(Date.now() - due);
  }

  error({ code, message, seq, retry_after_ms: retryAfter, fatal }) {
    refused.add(1, { code });
    console.error(`refused: ${code} ${message}`);
    if (fatal || this.inFlight === null || seq !== this.inFlight.seq) return;
    if (retryAfter === undefined) {
      // Lost; the next edit takes another number.
      this.inFlight = null;
      return;
    }
    const again = this.inFlight;
    this.after(retryAfter, () => {
      if (this.inFlight === again) this.send(again);
    });
  }

  /** Ends the user once everything has been acknowledged; what others still type is not waited for. */
  leaveWhenSettled() {
    if (!this.typing && this.inFlight === null && this.waiting.length === 0) this.socket.close();
  }

  end() {
    for (const timer of this.timers) clearTimeout(timer);
    const done = !this.typing && this.inFlight === null && this.waiting.length === 0;
    settled.add(done);
    check(done, { "typed to the end, everything acknowledged": (value) => value });
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  after(ms, action) {
    this.timers.push(setTimeout(action, Math.max(ms, 0)));
  }
}

/** Code units that a part spans. */
function span({ insert, retain, delete: deleted }) {
  if (insert !== undefined) return typeof insert === "string" ? insert.length : 1;
  return retain ?? deleted;
}

/** By how much a part changes the length. */
function change(part) {
  if (part.insert !== undefined) return span(part);
  return part.delete === undefined ? 0 : -part.delete;
}

function uuid() {
  const hex = (digits) =>
    Array.from({ length: digits }, () => Math.floor(Math.random() * 16).toString(16)).join("");
  return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
}

function number(name, preset) {
  const value = __ENV[name] === undefined || __ENV[name] === "" ? preset : Number(__ENV[name]);
  // What is off by default may be said to be off.
  const isSound = value > 0 || (value === 0 && preset === 0);
  if (!isSound) throw new Error(`${name} must be a number above 0, not ${__ENV[name]}`);
  return value;
}
