import Delta from "quill-delta";
import type { ChangeEvent, ConnectionReason, SessionEvents } from "./api.js";
import { type Applied, Client } from "./client.js";
import type { Clock } from "./clock.js";
import { checkForm } from "./delta/check.js";
import { insertedText } from "./delta/parts.js";
import { replacement } from "./delta/replacement.js";
import { textBytes } from "./delta/size.js";
import { QuireError, type QuireErrorCode } from "./errors.js";
import type { Emitter } from "./events.js";
import { hashedText, type TextHash } from "./hash.js";
import { Outbox } from "./outbox.js";
import { Peers } from "./peers.js";
import { OwnPresence } from "./presence.js";
import { DEFAULT_LIMITS } from "./protocol.js";
import type {
  Ack,
  ClientMessage,
  DeltaOp,
  ErrorMessage,
  Hello,
  OpsMessage,
  PeersMessage,
  Role,
  RoleMessage,
  ServerMessage,
  Welcome,
} from "./protocol.gen.js";
import { UndoStack } from "./undo.js";
import { randomUuid } from "./uuid.js";

/** A larger insert is measured against `limits.document_bytes` before it is applied; smaller ones the server measures. */
const LARGE_INSERT = 64 * 1024;

/** Edits that are made within this time count as made together, so that hours without a connection are few entries. */
const TOGETHER_MS = 250;

/** The connection, as a replica uses it. */
export interface Link {
  /** Whether `hello` was answered on the current socket. */
  readonly live: boolean;
  send(frame: ClientMessage): void;
  caughtUp(): void;
  restart(reason: ConnectionReason): void;
}

export interface ReplicaOptions {
  /** UUID in lower case. */
  client: string;
  /** The last number that this id may have used. */
  lastSeq: number;
  clock: Clock;
  link: Link;
  events: Emitter<SessionEvents>;
  hash: TextHash;
  /** Told with each `welcome` and `role` when the token expires, if it does. */
  expires: (at: number | undefined) => void;
}

/** Why the next `hello` asks for the whole content. */
interface StartingAnew {
  readonly code: QuireErrorCode;
  readonly message: string;
  readonly diverged?: number;
}

/**
 * This side's copy of a document and everything that moves with its text: pending edits, undo, cursors. Frames change it
 * from one side, the user from the other; each such change is one batch of events.
 */
export class Replica {
  readonly model: Client;
  readonly undoStack = new UndoStack();
  readonly presence = new OwnPresence();
  readonly outbox: Outbox;
  private readonly peers = new Peers();
  private greeting: Welcome | undefined;
  private anew: StartingAnew | undefined;
  /** When edits were made, by the number of the first of each stretch. */
  private made: { readonly edit: number; readonly at: number }[] = [];
  /** Whether there has been content. */
  begun = false;
  role: Role | undefined;
  /** Unix ms, the server's clock. */
  committedAt: number | undefined;

  constructor(private readonly options: ReplicaOptions) {
    this.model = new Client(options.client, DEFAULT_LIMITS, options.lastSeq);
    this.outbox = new Outbox(this.model, options.clock, (message) => options.link.send(message));
  }

  /** The last `welcome`. */
  get welcome(): Welcome | undefined {
    return this.greeting;
  }

  /** Unix ms, this device's clock: when the oldest edit was made that is not known to be durable. */
  get pendingSince(): number | undefined {
    const { oldestEdit } = this.model;
    if (oldestEdit === undefined) return undefined;
    return this.made.findLast(({ edit }) => edit <= oldestEdit)?.at;
  }

  get visiblePeers(): ReturnType<Peers["visible"]> {
    const own = { session: this.greeting?.session, client: this.model.id };
    return this.peers.visible(own, this.model.pendingDeltas, this.model.document.length);
  }

  /** What says to the server which client this is and what it holds. */
  hello(): Pick<Hello, "client" | "since" | "history" | "diverged"> {
    const held =
      this.begun && !this.anew && this.greeting ? { since: this.model.version, history: this.greeting.history } : {};
    return {
      client: this.model.id,
      ...held,
      ...(this.anew?.diverged !== undefined && { diverged: this.anew.diverged }),
    };
  }

  /** Takes a frame of the server. */
  handle(frame: ServerMessage): void {
    this.options.events.batch(() => {
      try {
        this.dispatch(frame);
      } catch (error) {
        // A frame that cannot be applied leaves nothing to go on from.
        this.diverged(error instanceof Error ? error.message : String(error));
      }
    });
  }

  /**
   * Applies an edit made here.
   * @returns undefined if it does nothing
   * @throws {QuireError} if it is refused; nothing is changed then
   */
  apply(parts: DeltaOp[], source: "local" | "undo", origin?: unknown): Applied | undefined {
    checkForm(parts);
    this.checkRoom(parts);
    const applied = this.model.edit(parts);
    if (!applied) return undefined;
    this.note(applied.edit);
    this.changed({ delta: applied.delta, source, ...(origin !== undefined && { origin }) });
    this.outbox.edited(insertedText(applied.delta.ops as DeltaOp[]).length);
    return applied;
  }

  /** The frame that shows where the user is, if the others do not know. */
  takePresence(): ClientMessage | undefined {
    if (!this.outbox.isOpen) return undefined;
    return this.presence.take(this.model.pendingDeltas, this.model.version);
  }

  private dispatch(frame: ServerMessage): void {
    switch (frame.type) {
      case "welcome":
        this.welcomed(frame);
        return;
      case "ops":
        this.operations(frame);
        return;
      case "ack":
        this.acknowledged(frame);
        return;
      case "received":
        this.options.events.emit("received", { seq: frame.seq });
        return;
      case "presence":
        this.othersChanged(frame);
        return;
      case "role":
        this.roleChanged(frame);
        return;
      case "error":
        this.refused(frame);
        return;
      default:
      // `pong` has done its work by arriving; types that a later server may add are ignored.
    }
  }

  private welcomed(welcome: Welcome): void {
    if (!welcome.content && (!this.begun || this.anew)) throw new Error("the server sent no content");
    this.greeting = welcome;
    this.model.greet(welcome.limits, welcome.last_seq);
    this.outbox.setRate(welcome.limits.ops_per_second);
    if (welcome.content) this.load(welcome, welcome.content);
    this.peers.greet(welcome.peers, this.model.version);
    this.presence.forgetShown();
    this.roleChanged(welcome);
    this.options.events.emit("peers", this.visiblePeers);
    this.catchUp();
  }

  /** Shows what the server has instead of what was held. What was pending goes to the user. */
  private load(welcome: Welcome, content: DeltaOp[]): void {
    if (this.begun) this.options.events.emitNow("willchange", undefined);
    const before = this.model.document.delta;
    const lost = this.model.load(new Delta(content), welcome.version, welcome.last_seq);
    const why = this.anew ?? { code: "reset", message: "the server replaced the document" };
    this.anew = undefined;
    this.undoStack.clear();
    this.peers.forgetOperations();
    if (this.begun) this.changed({ delta: replacement(before, this.model.document.delta), source: "reset" });
    else this.options.events.emit("ready", undefined);
    this.begun = true;
    if (lost) this.lose(lost, why.code, why.message);
  }

  private operations(frame: OpsMessage): void {
    const { events, link } = this.options;
    if (frame.base + frame.ops.length <= this.model.version) return;
    events.emitNow("willchange", undefined);
    const before = this.model.version;
    const { changes, applied, settled, corrected, gap } = this.model.receive(frame.base, frame.ops);
    if (gap) {
      link.restart("lost");
      return;
    }
    applied.forEach((operation, index) => {
      this.peers.committed(operation, before + index + 1);
      this.presence.committed(new Delta(operation.delta), operation.client === this.model.id);
    });
    this.committedAt = applied.at(-1)?.at ?? this.committedAt;
    for (const { delta, document, author } of changes) {
      this.undoStack.moveOver(delta);
      this.changed({ delta, source: "remote", ...author }, document);
    }
    if (corrected)
      events.emit("error", new QuireError("internal", "an edit came back other than it was computed here"));
    if (frame.hash !== undefined) this.compareHash(frame.hash);
    if (settled) this.outbox.answered();
    this.catchUp();
  }

  /** Goes on sending once the version that `welcome` named is held. */
  private catchUp(): void {
    const { link } = this.options;
    if (this.outbox.isOpen || !link.live || !this.greeting || this.model.version < this.greeting.version) return;
    link.caughtUp();
    this.outbox.resume();
  }

  private acknowledged({ seq, version }: Ack): void {
    if (seq !== this.model.inFlight) return;
    this.outbox.acknowledged();
    // It is in the stream at `version`; if that went by without being recognised, we hold another history.
    if (version <= this.model.version) this.diverged("an edit was saved in a version that this copy holds without it");
  }

  private refused(error: ErrorMessage): void {
    if (error.seq !== undefined && error.seq === this.model.inFlight) {
      this.operationRefused(error);
    } else if (error.code === "forbidden" && error.fatal && !this.outbox.isOpen) {
      // The answer to `hello`: this id is another user's. A new one begins with nothing.
      this.model.rename(randomUuid());
      this.anew = { code: "forbidden", message: error.message };
    } else if (error.seq === undefined) {
      this.options.events.emit("error", new QuireError(error.code, error.message));
    }
  }

  private operationRefused({ code, message, retry_after_ms }: ErrorMessage): void {
    switch (code) {
      case "unavailable":
      case "internal":
      case "rate_limited":
        this.outbox.retry(retry_after_ms, code === "rate_limited");
        return;
      case "stale_base":
        if (this.model.outgrown)
          this.rollBack("too_large", "others changed so much that this edit does not fit any more");
        else if (!this.outbox.rebased()) this.options.link.restart("lagging");
        return;
      default:
        this.rollBack(code, message);
    }
  }

  private rollBack(code: QuireErrorCode, message: string): void {
    this.options.events.emitNow("willchange", undefined);
    const rolledBack = this.model.rollBack();
    if (!rolledBack) return;
    this.undoStack.forget(rolledBack.edits, rolledBack.change, this.model.document);
    this.changed({ delta: rolledBack.change, source: "rollback" });
    this.lose(rolledBack.lost, code, message);
    this.outbox.answered();
  }

  private lose(delta: Delta, code: QuireErrorCode, message: string): void {
    this.options.events.emit("lost", { delta, code, message, text: insertedText(delta.ops as DeltaOp[]) });
  }

  private othersChanged({ peers }: PeersMessage): void {
    this.peers.update(peers, this.model.version);
    this.options.events.emit("peers", this.visiblePeers);
  }

  private roleChanged({ role, expires_at }: Pick<RoleMessage, "role" | "expires_at">): void {
    this.options.expires(expires_at);
    if (role === this.role) return;
    this.role = role;
    this.options.events.emit("role", role);
  }

  private compareHash(expected: string): void {
    const { document, state } = this.model;
    const { greeting } = this;
    if (state !== "synchronised") return;
    void this.options.hash(hashedText(document.delta)).then((actual) => {
      // The content may have been fetched anew while the hash was computed.
      const current = this.greeting === greeting && !this.anew;
      if (actual !== undefined && actual !== expected && current) this.diverged("this copy differs from the document");
    });
  }

  /** The content is not to be trusted: it is fetched anew, and the server counts that. */
  private diverged(message: string): void {
    this.anew = { code: "reset", message, diverged: this.model.version };
    this.options.link.restart("diverged");
  }

  private note(edit: number): void {
    const { oldestEdit = edit } = this.model;
    // What is settled is forgotten.
    this.made.splice(0, oldestEdit === edit ? this.made.length : this.made.findLastIndex((made) => made.edit <= oldestEdit));
    const at = this.options.clock.now();
    const last = this.made.at(-1);
    if (!last || at - last.at >= TOGETHER_MS) this.made.push({ edit, at });
  }

  /** A paste that cannot fit is refused as a whole, instead of the server refusing the last of its pieces. */
  private checkRoom(parts: DeltaOp[]): void {
    const most = this.greeting?.limits.document_bytes ?? Infinity;
    if (insertedText(parts).length < LARGE_INSERT) return;
    // What it deletes makes room.
    if (textBytes(this.model.document.delta.compose(new Delta(parts)).ops as DeltaOp[]) > most) {
      throw new QuireError("too_large", `the document would be larger than ${most} bytes`);
    }
  }

  private changed(change: Omit<ChangeEvent, "content">, document = this.model.document): void {
    const { delta, source } = change;
    if (delta.ops.length === 0) return;
    this.presence.contentChanged(delta, source === "local" || source === "undo");
    // Most listeners make do with the delta; the whole is put together for those who look.
    this.options.events.emit("change", {
      ...change,
      get content() {
        return document.delta;
      },
    });
  }
}
