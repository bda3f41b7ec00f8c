import type Delta from "quill-delta";
import type { ConnectionStatus, DocumentSession, OpenOptions, Peer, SessionEvents } from "./api.js";
import { type Clock, systemClock } from "./clock.js";
import { Connection } from "./connection/connection.js";
import { Token } from "./connection/token.js";
import { jsonBytes } from "./delta/size.js";
import { QuireError } from "./errors.js";
import { Emitter } from "./events.js";
import { textHash } from "./hash.js";
import { Inbox } from "./inbox.js";
import { watchNetwork } from "./network.js";
import { PresenceTimer } from "./presence.js";
import { DEFAULT_LIMITS } from "./protocol.js";
import type { DeltaOp, Hello, PresenceState, Role, ServerMessage, UserInfo } from "./protocol.gen.js";
import { Replica } from "./replica.js";
import { platformSocket } from "./socket.js";
import { randomUuid } from "./uuid.js";

/** Opens a document. The session connects by itself, and keeps trying. */
export function open(options: OpenOptions): DocumentSession {
  const session = new Session(options);
  session.start();
  return session;
}

/** What was last said about progress, so that it is said again only when it changes. */
interface Progress {
  readonly saved: boolean;
  readonly pendingCount: number;
  readonly savedAt: number | undefined;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
}

/** Puts the parts together: `Connection` → `Inbox` → `Replica` → `Connection`, and the user's side of it. */
class Session implements DocumentSession {
  private readonly clock: Clock;
  private readonly events = new Emitter<SessionEvents>();
  private readonly replica: Replica;
  private readonly link: Connection;
  private readonly token: Token;
  private readonly inbox: Inbox;
  private readonly presenceTimer: PresenceTimer;
  private readonly stopWatching: () => void;
  /** When each of what `announceEdit` has announced was, in order. */
  private readonly announced: { readonly at: number }[] = [];
  private told: Progress;
  private name: string | undefined;

  constructor(private readonly options: OpenOptions) {
    this.clock = options.clock ?? systemClock;
    this.token = new Token(options.token, this.clock);
    this.link = this.newConnection();
    this.replica = this.newReplica();
    this.inbox = new Inbox(
      (frame) => this.handle(frame),
      () => this.link.restart("lagging"),
    );
    this.presenceTimer = new PresenceTimer(this.clock, () => this.sendPresence());
    this.told = this.progress();
    this.name = options.name;
    this.stopWatching = watchNetwork((online) => this.setOnline(online));
  }

  start(): void {
    this.link.connect();
  }

  get id(): string {
    return this.options.doc;
  }

  get client(): string {
    return this.replica.model.id;
  }

  get content(): Delta {
    return this.replica.model.document.delta;
  }

  get version(): number {
    return this.replica.model.version;
  }

  get ready(): boolean {
    return this.replica.begun;
  }

  get user(): UserInfo | undefined {
    return this.replica.welcome?.user;
  }

  get role(): Role | undefined {
    return this.replica.role;
  }

  get canEdit(): boolean {
    return this.refusal() === undefined;
  }

  get peers(): readonly Peer[] {
    return this.replica.visiblePeers;
  }

  get connection(): ConnectionStatus {
    return this.link.status;
  }

  get savedAt(): number | undefined {
    return this.replica.committedAt;
  }

  get saved(): boolean {
    return this.replica.model.state === "synchronised" && this.announced.length === 0;
  }

  get unsavedSince(): number | undefined {
    const since = [this.replica.pendingSince, this.announced[0]?.at].filter((at) => at !== undefined);
    return since.length === 0 ? undefined : Math.min(...since);
  }

  get pendingCount(): number {
    return this.replica.model.pendingEdits;
  }

  get canUndo(): boolean {
    return this.replica.undoStack.canUndo;
  }

  get canRedo(): boolean {
    return this.replica.undoStack.canRedo;
  }

  edit(delta: Delta | DeltaOp[], source?: unknown): void {
    this.events.batch(() => {
      this.assertEditable();
      const applied = this.replica.apply(Array.isArray(delta) ? delta : (delta.ops as DeltaOp[]), "local", source);
      if (applied) this.replica.undoStack.edited(applied, this.clock.now());
      this.afterChange();
    });
  }

  undo(): boolean {
    return this.step("undo");
  }

  redo(): boolean {
    return this.step("redo");
  }

  breakUndo(): void {
    this.replica.undoStack.breakStep();
  }

  setPresence(state: PresenceState | null): void {
    const most = (this.replica.welcome?.limits ?? DEFAULT_LIMITS).presence_bytes;
    if (jsonBytes(state) >= most) throw new QuireError("too_large", `presence takes ${most} bytes or more`);
    this.replica.presence.set(state, this.replica.model.document.length);
    this.presenceTimer.poke();
  }

  holdRemote(): () => void {
    return this.inbox.hold();
  }

  announceEdit(): () => void {
    const announcement = { at: this.clock.now() };
    this.announced.push(announcement);
    this.events.batch(() => this.afterChange());
    return () => {
      const index = this.announced.indexOf(announcement);
      if (index < 0) return;
      this.announced.splice(index, 1);
      this.events.batch(() => this.afterChange());
    };
  }

  on<E extends keyof SessionEvents>(event: E, listener: (value: SessionEvents[E]) => void): () => void {
    return this.events.on(event, listener);
  }

  whenReady(): Promise<void> {
    return this.when("ready", () => this.ready);
  }

  whenSaved(): Promise<void> {
    return this.when("saved", () => this.saved);
  }

  rename(name: string): void {
    if (name === this.name) return;
    this.name = name;
    this.link.reopen();
  }

  authenticate(): void {
    this.link.authenticate();
  }

  retryNow(): void {
    this.link.retryNow();
  }

  setOnline(online: boolean): void {
    this.link.setOnline(online);
  }

  close(): void {
    this.stopWatching();
    this.link.close();
  }

  private newConnection(): Connection {
    const { options } = this;
    return new Connection({
      url: options.url,
      doc: options.doc,
      token: this.token,
      link: options.link,
      socket: options.socket ?? platformSocket,
      fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
      clock: this.clock,
      hello: () => this.hello(),
      message: (frame) => this.inbox.deliver(frame),
      status: (status) => this.connectionChanged(status),
    });
  }

  private newReplica(): Replica {
    const { client } = this.options;
    return new Replica({
      client: (client ?? randomUuid()).toLowerCase(),
      // Which numbers a given id used before is not known, but one a millisecond at most: they were below this.
      lastSeq: client === undefined ? 0 : this.clock.now(),
      clock: this.clock,
      link: this.link,
      events: this.events,
      hash: textHash,
      expires: (at) => this.token.renewBefore(at, (token) => this.link.send({ type: "auth", token })),
    });
  }

  private hello(): Hello {
    const { name } = this;
    const { receipts } = this.options;
    return {
      type: "hello",
      ...this.replica.hello(),
      ...(name !== undefined && { name }),
      ...(receipts !== undefined && { receipts }),
    };
  }

  private handle(frame: ServerMessage): void {
    this.events.batch(() => {
      this.replica.handle(frame);
      this.afterChange();
    });
  }

  private step(direction: "undo" | "redo"): boolean {
    // What an editor has not reported yet comes before, and is what is undone.
    this.events.emitNow("willchange", undefined);
    const { undoStack } = this.replica;
    const delta = direction === "undo" ? undoStack.peekUndo() : undoStack.peekRedo();
    if (!delta) return false;
    return this.events.batch(() => {
      this.assertEditable();
      const applied = this.replica.apply(delta.ops as DeltaOp[], "undo");
      if (applied && direction === "undo") undoStack.undid(applied);
      if (applied && direction === "redo") undoStack.redid(applied);
      this.afterChange();
      return applied !== undefined;
    });
  }

  private assertEditable(): void {
    const refusal = this.refusal();
    if (refusal) throw refusal;
  }

  private refusal(): QuireError | undefined {
    const { role } = this;
    if (this.link.status.state === "closed") return new QuireError("closed", "the document is not open any more");
    if (!this.ready) return new QuireError("not_ready", "the document has not been loaded yet");
    if (role === "viewer" || role === "commenter") return new QuireError("read_only", `a ${role} cannot edit`);
    return undefined;
  }

  private sendPresence(): boolean {
    const frame = this.replica.takePresence();
    if (frame) this.link.send(frame);
    return frame !== undefined;
  }

  private connectionChanged(status: ConnectionStatus): void {
    if (!this.link.live) {
      this.replica.outbox.stop();
      this.presenceTimer.stop();
      this.token.stopRenewing();
    }
    this.events.emit("connection", status);
    if (status.state === "closed" && status.reason === "deleted") this.events.emit("deleted", undefined);
  }

  /** Tells what follows from a change: what is saved, what can be undone, where the user is. */
  private afterChange(): void {
    const last = this.told;
    const { saved, pendingCount, savedAt, canUndo, canRedo } = (this.told = this.progress());
    if (last.saved !== saved || last.pendingCount !== pendingCount || last.savedAt !== savedAt) {
      this.events.emit("saved", { saved, pendingCount, ...(savedAt !== undefined && { savedAt }) });
    }
    if (last.canUndo !== canUndo || last.canRedo !== canRedo) this.events.emit("undo", { canUndo, canRedo });
    this.presenceTimer.poke();
  }

  private progress(): Progress {
    const { saved, pendingCount, savedAt, canUndo, canRedo } = this;
    return { saved, pendingCount, savedAt, canUndo, canRedo };
  }

  private when(event: "ready" | "saved", holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const stops: (() => void)[] = [];
      const settle = (): void => {
        const { state, reason } = this.link.status;
        if (!holds() && state !== "closed") return;
        stops.forEach((stop) => stop());
        if (holds()) resolve();
        else reject(new QuireError("closed", `the session has ended: ${reason ?? "closed"}`));
      };
      stops.push(this.on(event, settle), this.on("connection", settle));
      settle();
    });
  }
}
