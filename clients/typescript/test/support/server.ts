import Delta from "quill-delta";
import type {
  ClientMessage,
  CommittedOp,
  DeltaOp,
  ErrorCode,
  Hello,
  Limits,
  OpMessage,
  PresenceMessage,
  Role,
  ServerMessage,
  Welcome,
} from "../../src/protocol.gen.js";
import { type Listener, Network, type Wire } from "./network.js";
import { canonical, edit, fitsDocument, plainText } from "./ot.js";

interface ServerSession {
  id: string;
  wire: Wire;
  client: string;
  receipts: boolean;
  /** The next version to send. */
  sent: number;
}

/** An operation that was transformed and is not yet durable. */
interface Speculative {
  session: ServerSession;
  operation: CommittedOp;
}

export const LIMITS: Limits = {
  frame_bytes: 1024 * 1024,
  ops: 10_000,
  document_bytes: 10_000_000,
  presence_bytes: 4096,
  ops_per_second: 0,
  base_lag: 10_000,
};

/**
 * One document on a server that follows docs/protocol.md sections 2 to 6: canonical order, transformation one by one,
 * exactly once, durable before acknowledged. What goes wrong is up to the test.
 */
export class FakeServer implements Listener {
  readonly network = new Network(this);
  readonly log: CommittedOp[] = [];
  limits: Limits = LIMITS;
  history = "11111111-1111-4111-8111-111111111111";
  role: Role = "editor";
  /** HTTP status of the next upgrades, and of `GET /v1/docs/{id}`. */
  status = 101;
  retryAfter: string | undefined;
  /** Commit as soon as an operation arrives; else `commit()` does. */
  autoCommit = true;
  /** Makes the hash of a text, if frames are to carry one. */
  hash: ((text: string) => string) | undefined;
  /** Asked for each operation; a code refuses it. */
  refuse: (operation: OpMessage) => ErrorCode | undefined = () => undefined;
  /** Client ids that belong to somebody else. */
  readonly foreign = new Set<string>();
  readonly received: ClientMessage[] = [];

  private start = new Delta();
  private startVersion = 0;
  private readonly sessions: ServerSession[] = [];
  private speculative: Speculative[] = [];
  private now = 1_000;
  private sessionNumber = 0;

  constructor(content: DeltaOp[] = []) {
    if (content.length > 0) this.log.push(this.operation("server", 1, content));
  }

  /** Durable head. */
  get version(): number {
    return this.startVersion + this.log.length;
  }

  get content(): Delta {
    return this.log.reduce((document, { delta }) => document.compose(new Delta(delta)), this.start);
  }

  get connected(): readonly string[] {
    return this.sessions.map(({ client }) => client);
  }

  /** `fetch` for the question why a handshake failed. */
  readonly fetch: typeof fetch = () => {
    const headers: HeadersInit = this.retryAfter === undefined ? {} : { "Retry-After": this.retryAfter };
    if (this.status === 0) return Promise.reject(new TypeError("no network"));
    return Promise.resolve(new Response(null, { status: this.status === 101 ? 200 : this.status, headers }));
  };

  upgrade(): number {
    return this.status;
  }

  closed(wire: Wire): void {
    this.forget(wire);
    wire.end(1000);
  }

  frame(wire: Wire, frame: ClientMessage): void {
    this.received.push(frame);
    const session = this.sessions.find((known) => known.wire === wire);
    if (frame.type === "hello") this.hello(wire, frame);
    else if (!session) this.fail(wire, "bad_request", "say hello first", true);
    else if (frame.type === "op") this.submit(session, frame);
    else if (frame.type === "presence") this.presence(session, frame);
    else if (frame.type === "ping") wire.push({ type: "pong", t: frame.t });
    else wire.push({ type: "role", role: this.role });
  }

  /** Somebody without a socket edits. */
  insert(pos: number, text: string, client = "other"): void {
    this.write(edit({ type: "insert", pos, text }), client);
  }

  write(delta: DeltaOp[], client = "other"): void {
    this.log.push(this.operation(client, this.lastSeq(client) + 1, canonical(delta).ops as DeltaOp[]));
    this.speculative = [];
    this.broadcast();
  }

  /** Makes the first `count` speculative operations durable. */
  commit(count = this.speculative.length): void {
    this.log.push(...this.speculative.splice(0, count).map(({ operation }) => operation));
    this.broadcast();
  }

  /** The commit failed: what was speculative is forgotten, and everybody concerned is told. */
  failCommit(retryAfterMs?: number): void {
    const failed = this.speculative;
    this.speculative = [];
    for (const { session, operation } of failed) {
      const retry = retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs };
      this.refusal(session, operation.seq, "unavailable", retry);
    }
  }

  /** The commit's outcome was unknown: its authors hear of a failure, and then it turns out to have been a success. */
  commitReportedAsFailed(): void {
    for (const { session, operation } of this.speculative) this.refusal(session, operation.seq, "unavailable", {});
    this.commit();
  }

  get pending(): number {
    return this.speculative.length;
  }

  /** Everything is replaced, as by restoring a backup: it is another history, and everybody has to come back. */
  restore(content: DeltaOp[]): void {
    this.closeAll(1012);
    this.history = crypto.randomUUID();
    this.log.splice(0);
    this.speculative = [];
    this.startVersion = 0;
    this.start = new Delta();
    this.log.push(this.operation("server", 1, content));
  }

  /** Sends something to the sessions of a client, or of all. */
  tell(frame: ServerMessage, client?: string): void {
    this.sessions
      .filter((session) => client === undefined || session.client === client)
      .forEach((session) => session.wire.push(frame));
  }

  closeAll(code: number): void {
    for (const { wire } of this.sessions.splice(0)) wire.end(code);
  }

  /** Sends the last operations once more, as a server does that has lost track of what a session was sent. */
  repeat(count: number): void {
    for (const session of this.sessions) this.send(session, Math.max(session.sent - count, this.startVersion));
  }

  /** How often an edit of a client is in the log. */
  occurrences(client: string, seq: number): number {
    return this.log.filter((operation) => operation.client === client && operation.seq === seq).length;
  }

  private hello(wire: Wire, hello: Hello): void {
    if (this.foreign.has(hello.client)) {
      this.fail(wire, "forbidden", "this client id belongs to another user", true);
      wire.end(1008);
      return;
    }
    this.replaceOlder(hello.client);
    const session: ServerSession = {
      id: `session-${(this.sessionNumber += 1)}`,
      wire,
      client: hello.client,
      receipts: hello.receipts ?? false,
      sent: this.version,
    };
    const resumes =
      hello.since !== undefined && hello.since <= this.version && (hello.history ?? this.history) === this.history;
    if (resumes) session.sent = hello.since ?? 0;
    this.sessions.push(session);
    wire.push(this.welcome(session, resumes, hello));
    this.send(session, session.sent);
  }

  private welcome(session: ServerSession, resumes: boolean, { client, since, name }: Hello): Welcome {
    return {
      type: "welcome",
      session: session.id,
      doc: "doc",
      kind: "rich-text",
      history: this.history,
      version: this.version,
      role: this.role,
      user: { id: `guest:${client}`, name: name ?? "Guest", color: "#336699" },
      last_seq: this.lastSeq(client),
      peers: [],
      limits: this.limits,
      ...(resumes
        ? { since: session.sent }
        : { content: this.content.ops as DeltaOp[], ...(since !== undefined && { reset: true }) }),
    };
  }

  /** One live session per client; what the older one has queued is dropped first. */
  private replaceOlder(client: string): void {
    const older = this.sessions.filter((session) => session.client === client);
    for (const { wire } of older) {
      wire.push({ type: "reconnect", reason: "replaced", after_ms: 0 });
      wire.end(4409);
      this.forget(wire);
    }
  }

  private forget(wire: Wire): void {
    const index = this.sessions.findIndex((session) => session.wire === wire);
    if (index < 0) return;
    const [session] = this.sessions.splice(index, 1);
    this.tell({
      type: "presence",
      peers: [
        {
          session: session?.id ?? "",
          client: session?.client ?? "",
          user: { id: "", name: "", color: "" },
          state: null,
          base: this.version,
        },
      ],
    });
  }

  private submit(session: ServerSession, frame: OpMessage): void {
    const { seq, base } = frame;
    if (session.receipts) session.wire.push({ type: "received", seq });
    const made = this.log.findIndex((operation) => operation.client === session.client && operation.seq === seq);
    if (made >= 0) {
      session.wire.push({ type: "ack", seq, version: this.startVersion + made + 1 });
      return;
    }
    const queued = this.speculative.find(
      ({ operation }) => operation.client === session.client && operation.seq === seq,
    );
    if (queued) {
      // Its outcome goes to the client's current session.
      queued.session = session;
      return;
    }
    const code = this.refuse(frame) ?? this.judge(session, frame);
    if (code) {
      this.refusal(session, seq, code);
      return;
    }
    const delta = this.transform(canonical(frame.delta ?? (frame.edit ? edit(frame.edit) : [])), base);
    this.speculative.push({ session, operation: this.operation(session.client, seq, delta.ops as DeltaOp[]) });
    if (this.autoCommit) this.commit();
  }

  private judge(session: ServerSession, { seq, base, delta, edit: short }: OpMessage): ErrorCode | undefined {
    const head = this.version + this.speculative.length;
    const operations = [...this.log, ...this.speculative.map(({ operation }) => operation)];
    const own = operations.findLastIndex(({ client }) => client === session.client);
    if (this.role === "viewer" || this.role === "commenter") return "read_only";
    if (seq <= this.lastSeq(session.client)) return "bad_op";
    if (base > this.version) return "future_base";
    if (head - base > this.limits.base_lag || base < this.startVersion + own + 1) return "stale_base";
    const parts = delta ?? (short ? edit(short) : []);
    if (JSON.stringify(parts).length > this.limits.frame_bytes || parts.length > this.limits.ops) return "bad_op";
    const document = operations
      .slice(0, base - this.startVersion)
      .reduce((at, op) => at.compose(new Delta(op.delta)), this.start);
    return fitsDocument(canonical(parts), document) ? undefined : "bad_op";
  }

  private transform(operation: Delta, base: number): Delta {
    const since = [...this.log, ...this.speculative.map((queued) => queued.operation)].slice(base - this.startVersion);
    return since.reduce((incoming, { delta }) => new Delta(delta).transform(incoming, true), operation);
  }

  private presence(session: ServerSession, { state, base }: PresenceMessage): void {
    const user = { id: `guest:${session.client}`, name: "Guest", color: "#336699" };
    this.tell({ type: "presence", peers: [{ session: session.id, client: session.client, user, state, base }] });
  }

  private refusal(session: ServerSession, seq: number, code: ErrorCode, more: { retry_after_ms?: number } = {}): void {
    session.wire.push({ type: "error", code, message: `refused: ${code}`, seq, fatal: false, ...more });
  }

  private fail(wire: Wire, code: ErrorCode, message: string, fatal: boolean): void {
    wire.push({ type: "error", code, message, fatal });
  }

  private broadcast(): void {
    for (const session of this.sessions) this.send(session, session.sent);
  }

  private send(session: ServerSession, from: number): void {
    const ops = this.log.slice(from - this.startVersion);
    session.sent = this.version;
    if (ops.length === 0) return;
    session.wire.push({ type: "ops", base: from, ops, ...(this.hash && { hash: this.hash(plainText(this.content)) }) });
  }

  private lastSeq(client: string): number {
    return Math.max(0, ...this.log.filter((operation) => operation.client === client).map(({ seq }) => seq));
  }

  private operation(client: string, seq: number, delta: DeltaOp[]): CommittedOp {
    this.now += 1;
    return { client, seq, user: `guest:${client}`, at: this.now, delta };
  }
}
