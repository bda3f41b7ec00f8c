import Delta from "quill-delta";
import { checkForm, checkPlace } from "./delta/check.js";
import { sameParts } from "./delta/equal.js";
import { Document } from "./delta/document.js";
import { inverse } from "./delta/invert.js";
import { normalise } from "./delta/normal.js";
import { jsonBytes, jsonFits } from "./delta/size.js";
import { fits, type PieceLimits, pieceLimits, split, splitDeletesFirst } from "./delta/split.js";
import type { CommittedOp, DeltaOp, Limits, OpMessage } from "./protocol.gen.js";

/**
 * The client's half of the OT protocol, without I/O and without a clock. It is always in one of three states:
 *
 * ```text
 *                   edit                       edit (1)
 *  synchronised ───────────▶ awaiting ───────────────────▶ awaiting with buffer
 *       ▲                     │    ▲                             │
 *       └───── answered ──────┘    └── answered, one piece left ─┘
 * ```
 *
 * (1) Once the awaited operation was sent. Before that, while the connection is away, an edit is composed onto it if there
 * is room. With a buffer, an edit is composed onto its last piece if there is room, else it begins another piece.
 * *Answered*: the own operation came back in the stream, or it was refused and taken back. Then the next piece is awaited.
 *
 * `pending` holds the awaited operation first and the pieces of the buffer after it, each made on top of the one before.
 * At all times `content = committed ∘ pending[0] ∘ … ∘ pending[n]`, where `committed` is the server's content at `version`.
 * It is kept beside `content` because a refused operation can be taken back exactly only by inverting it there.
 *
 * Operations are rebased one by one, never over a composed range, since that changes how ties fall; what is shown and
 * stored, however, may be composed, since applying is associative.
 */
export type ClientState = "synchronised" | "awaiting" | "awaitingWithBuffer";

/** A range of edits, by the numbers that `edit` gave them. */
export interface EditRange {
  readonly first: number;
  readonly last: number;
}

/** One edit, or several composed. */
interface Piece extends EditRange {
  delta: Delta;
  /** Set when the operation is sent for the first time; from then on its number belongs to it alone. */
  sent?: SentAs;
}

/** What was first put on the wire, and is again if rebasing makes the operation too large. */
interface SentAs {
  readonly seq: number;
  readonly base: number;
  readonly delta: DeltaOp[];
  /** Whether the last resend was this original, since the rebased form no longer fits a frame. */
  outgrown: boolean;
}

/** A change of `content` that others made. */
export interface RemoteChange {
  readonly delta: Delta;
  /** The document after it. */
  readonly document: Document;
  /** If one author made all of it. */
  readonly author: Pick<CommittedOp, "user" | "client"> | undefined;
}

/** What a frame of operations did. */
export interface Received {
  readonly changes: RemoteChange[];
  /** The operations that were new, each on the server's content, in order. */
  readonly applied: CommittedOp[];
  /** The awaited operation was among them: it is durable. */
  readonly settled: boolean;
  /** It came back other than it was computed here: there is a fault on one of the two sides. The server's was taken. */
  readonly corrected: boolean;
  /** The frame begins above what this replica holds: operations are missing. */
  readonly gap: boolean;
}

/** A refused operation, and the change of `content` that takes it back. */
export interface RolledBack {
  readonly lost: Delta;
  readonly edits: EditRange;
  readonly change: Delta;
}

/** A local edit as it was applied. */
export interface Applied {
  readonly delta: Delta;
  readonly inverse: Delta;
  readonly edit: number;
}

/** Rebased operations are applied to the content in stretches: composing longer ones costs more than it saves. */
const COMPOSED_OPERATIONS = 100;

/** Room for the fields of an `op` frame around its delta. */
const FRAME_OVERHEAD_BYTES = 256;

/** One replica's side of the protocol: its document, what is pending on it, and the version that it holds. */
export class Client {
  private pending: Piece[] = [];
  private committed = Document.empty;
  private visible = Document.empty;
  /** The last version that was taken. */
  private held = 0;
  private lastSeq: number;
  private lastEdit = 0;
  private limits: Limits;
  private pieces: PieceLimits;

  /**
   * @param name id of this replica: a UUID in lower case
   * @param limits what the server allows
   * @param lastSeq the last number that this replica may have used
   */
  constructor(
    private name: string,
    limits: Limits,
    lastSeq = 0,
  ) {
    this.limits = limits;
    this.pieces = pieceLimits(limits);
    this.lastSeq = lastSeq;
  }

  get id(): string {
    return this.name;
  }

  /** The id turned out to be somebody else's. What is pending was numbered under it, and waits for `load` to hand it over. */
  rename(id: string): void {
    this.name = id;
  }

  get state(): ClientState {
    if (this.pending.length === 0) return "synchronised";
    return this.pending.length === 1 ? "awaiting" : "awaitingWithBuffer";
  }

  /** The document with everything pending in it. */
  get document(): Document {
    return this.visible;
  }

  get version(): number {
    return this.held;
  }

  /** Everything pending, each on top of the one before, for moving positions. */
  get pendingDeltas(): Delta[] {
    return this.pending.map(({ delta }) => delta);
  }

  /** How many edits are not known to be durable. */
  get pendingEdits(): number {
    const [first, last] = [this.pending[0], this.pending.at(-1)];
    return first && last ? last.last - first.first + 1 : 0;
  }

  /** Number of the oldest edit that is not known to be durable. */
  get oldestEdit(): number | undefined {
    return this.pending[0]?.first;
  }

  /** Number of the operation that the server has and has not answered. */
  get inFlight(): number | undefined {
    return this.pending[0]?.sent?.seq;
  }

  /** Takes what a `welcome` says about limits and numbers. */
  greet(limits: Limits, lastSeq: number): void {
    this.limits = limits;
    this.pieces = pieceLimits(limits);
    this.lastSeq = Math.max(this.lastSeq, lastSeq);
  }

  /**
   * Replaces the content. An operation in flight with a number up to `lastSeq` is in it; everything else that was pending
   * is returned, composed: it belongs to the user.
   */
  load(content: Delta, version: number, lastSeq: number): Delta | undefined {
    const settled = this.inFlight !== undefined && this.inFlight <= lastSeq;
    const lost = this.pending.slice(settled ? 1 : 0).map(({ delta }) => delta);
    this.pending = [];
    this.committed = this.visible = Document.from(content);
    this.held = version;
    return lost.length === 0 ? undefined : lost.reduce((whole, delta) => whole.compose(delta));
  }

  /**
   * Applies an edit of the user to `content` and makes it pending.
   * @returns undefined if it does nothing
   * @throws {QuireError} `bad_op`, `too_large` or `indivisible`; nothing is changed then
   */
  edit(parts: readonly DeltaOp[]): Applied | undefined {
    checkForm(parts);
    const delta = normalise(parts);
    if (delta.ops.length === 0) return undefined;
    checkPlace(delta, this.visible);
    const pieces = this.cut(delta);
    const undo = inverse(delta, this.visible);
    const edit = (this.lastEdit += 1);
    pieces.forEach((piece) => this.append({ delta: piece, first: edit, last: edit }));
    this.visible = this.visible.apply(delta);
    return { delta, inverse: undo, edit };
  }

  /** An edit that is sent in pieces must not make the document too large on the way to what it will be. */
  private cut(delta: Delta): Delta[] {
    const pieces = split(delta, this.pieces);
    if (pieces.length === 1) return pieces;
    // As JSON both are larger than what the server counts.
    const atMost = jsonBytes(this.visible.delta.ops) + jsonBytes(delta.ops);
    return atMost > this.limits.document_bytes ? splitDeletesFirst(delta, this.pieces) : pieces;
  }

  /** The next operation to send, if none is in flight; it is in flight then. */
  next(): OpMessage | undefined {
    const head = this.pending[0];
    if (!head || head.sent) return undefined;
    this.cutHead();
    const first = this.pending[0] ?? head;
    const delta = first.delta.ops as DeltaOp[];
    const seq = (this.lastSeq += 1);
    first.sent = { seq, base: this.held, delta, outgrown: false };
    return { type: "op", seq, base: this.held, delta };
  }

  /** The operation in flight once more: under its number, rebased, unless that has made it too large for a frame. */
  resend(): OpMessage | undefined {
    const head = this.pending[0];
    if (!head?.sent) return undefined;
    const { seq } = head.sent;
    const delta = head.delta.ops as DeltaOp[];
    head.sent.outgrown = !this.fitsFrame(delta);
    if (head.sent.outgrown) return { type: "op", seq, base: head.sent.base, delta: head.sent.delta };
    return { type: "op", seq, base: this.held, delta };
  }

  /** Whether the operation in flight was last sent with its first base, so that `stale_base` means it cannot be saved. */
  get outgrown(): boolean {
    return this.pending[0]?.sent?.outgrown ?? false;
  }

  /** Takes a frame of the canonical stream: `ops[0]` made version `base + 1`. Versions that are held are skipped. */
  receive(base: number, ops: readonly CommittedOp[]): Received {
    const gap = base > this.held;
    const applied = gap ? [] : ops.slice(this.held - base);
    const changes: RemoteChange[] = [];
    const awaited = { settled: false, corrected: false };
    for (let start = 0; start < applied.length; start += COMPOSED_OPERATIONS) {
      const stretch = new Stretch();
      for (const operation of applied.slice(start, start + COMPOSED_OPERATIONS)) {
        if (this.isAwaited(operation)) {
          awaited.settled = true;
          awaited.corrected = !this.settle(operation, stretch);
        } else this.follow(operation, stretch);
      }
      this.apply(stretch, changes);
    }
    return { changes, applied, ...awaited, gap };
  }

  /** Takes back the operation in flight, which the server has refused. What was made on top of it is kept. */
  rollBack(): RolledBack | undefined {
    const refused = this.pending.shift();
    if (!refused) return undefined;
    const change = this.rebase(inverse(refused.delta, this.committed));
    this.visible = this.visible.apply(change);
    return { lost: refused.delta, edits: refused, change };
  }

  private isAwaited({ client, seq }: CommittedOp): boolean {
    return client === this.name && seq === this.inFlight;
  }

  /** Takes an operation that was made elsewhere, or that is not awaited any more. */
  private follow(operation: CommittedOp, stretch: Stretch): void {
    const theirs = new Delta(operation.delta);
    this.held += 1;
    // A late copy of an own one, or one of an earlier life: its number is taken.
    if (operation.client === this.name) this.lastSeq = Math.max(this.lastSeq, operation.seq);
    stretch.add(theirs, this.rebase(theirs), operation);
  }

  /** Takes the awaited operation, which is its acknowledgement. True if it is what was computed here. */
  private settle(operation: CommittedOp, stretch: Stretch): boolean {
    const theirs = new Delta(operation.delta);
    const mine = this.pending.shift()?.delta ?? theirs;
    this.held += 1;
    if (sameParts(mine.ops as DeltaOp[], operation.delta)) {
      stretch.addCommitted(theirs);
      return true;
    }
    // The log is right, whatever was made of it here: the difference comes like somebody's edit.
    const before = this.committed.apply(stretch.committed);
    stretch.add(theirs, this.rebase(inverse(mine, before).compose(theirs)), operation);
    return false;
  }

  private apply(stretch: Stretch, changes: RemoteChange[]): void {
    this.visible = this.visible.apply(stretch.visible);
    // With nothing pending both are the same document, and sharing it saves the work and the memory.
    this.committed = this.pending.length === 0 ? this.visible : this.committed.apply(stretch.committed);
    if (stretch.visible.ops.length > 0)
      changes.push({ delta: stretch.visible, document: this.visible, author: stretch.author });
  }

  /** Moves everything pending over an operation on the server's content; returns that operation on top of them. */
  private rebase(theirs: Delta): Delta {
    let over = theirs;
    for (const piece of this.pending) {
      const mine = piece.delta;
      // What is in the history wins a tie.
      piece.delta = over.transform(mine, true);
      over = mine.transform(over, false);
    }
    // A client starts no operation that is empty; one that was sent has to be settled under its number.
    this.pending = this.pending.filter(({ delta, sent }) => sent !== undefined || delta.ops.length > 0);
    return over;
  }

  private append(piece: Piece): void {
    const last = this.pending.at(-1);
    const composed = last && !last.sent ? last.delta.compose(piece.delta) : undefined;
    if (!last || !composed || !fits(composed, this.pieces)) {
      this.pending.push(piece);
      return;
    }
    this.pending.pop();
    if (composed.ops.length > 0) this.pending.push({ delta: composed, first: last.first, last: piece.last });
  }

  /** Rebasing may have made a piece of the buffer larger than a piece may be when it is sent for the first time. */
  private cutHead(): void {
    const head = this.pending[0];
    if (!head || fits(head.delta, this.pieces)) return;
    const pieces = split(head.delta, this.pieces).map((delta) => ({ delta, first: head.first, last: head.last }));
    this.pending.splice(0, 1, ...pieces);
  }

  private fitsFrame(delta: DeltaOp[]): boolean {
    return delta.length <= this.limits.ops && jsonFits(delta, this.limits.frame_bytes - FRAME_OVERHEAD_BYTES);
  }
}

/** Consecutive operations, composed as the server's content sees them and as the user does. */
class Stretch {
  committed = new Delta();
  visible = new Delta();
  private authors: CommittedOp[] = [];

  add(committed: Delta, visible: Delta, author: CommittedOp): void {
    this.addCommitted(committed);
    this.visible = this.visible.ops.length === 0 ? visible : this.visible.compose(visible);
    this.authors.push(author);
  }

  addCommitted(delta: Delta): void {
    this.committed = this.committed.ops.length === 0 ? delta : this.committed.compose(delta);
  }

  get author(): Pick<CommittedOp, "user" | "client"> | undefined {
    const [first] = this.authors;
    const same = this.authors.every(({ client, user }) => client === first?.client && user === first.user);
    return first && same ? { user: first.user, client: first.client } : undefined;
  }
}
