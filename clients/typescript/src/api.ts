import type Delta from "quill-delta";
import type { Clock } from "./clock.js";
import type { QuireError, QuireErrorCode } from "./errors.js";
import type { DeltaOp, Peer as WirePeer, PresenceState, Role, UserInfo } from "./protocol.gen.js";
import type { SocketFactory } from "./socket.js";

export interface OpenOptions {
  /** Where the server is: `http(s)://` or `ws(s)://`, with the path it is mounted on, if any. */
  url: string;
  /** Id of the document. */
  doc: string;
  /**
   * Gives the JWT to connect with, or undefined for a guest, where guests are allowed. It is asked before each connection,
   * and with the token that the server has just refused (401, or expired) as its argument, so that it can fetch a fresh one.
   * A `QuireError` with the code `unauthorized` says that nobody is signed in any more: the session closes with that as
   * its reason, keeps what is pending, and goes on after `authenticate()`. Any other error is tried again.
   */
  token?: (rejected?: string) => string | undefined | Promise<string | undefined>;
  /** Token of a share link of the document. */
  link?: string;
  /** Name of a guest. */
  name?: string;
  /**
   * UUID of this replica; a fresh one by default. Two live sessions must not share one: the newer closes the older. Its
   * first operation gets a number above the clock, so that numbers of an earlier life of the same id are not used again.
   */
  client?: string;
  /** Asks the server to say when an operation has arrived, before it is durable: event `received`. */
  receipts?: boolean;
  socket?: SocketFactory;
  fetch?: typeof fetch;
  clock?: Clock;
}

/** Why a session ended for good, or what it waits for. */
export type ConnectionReason =
  | "unauthorized" /* 401, and no token to offer, or none any more */
  | "forbidden" /* 403, or access lost */
  | "not_found" /* no such document */
  | "deleted" /* the document was deleted under us */
  | "replaced" /* another session took this client id */
  | "draining" /* the server restarts */
  | "moved" /* the document moves to another node */
  | "lagging" /* this session read too slowly */
  | "rate_limited" /* too many opens */
  | "unavailable" /* 503 */
  | "silent" /* nothing heard for 15 s */
  | "diverged" /* the content had to be fetched anew */
  | "lost" /* the socket broke, or could not be opened */
  | "closed"; /* by close() */

export interface ConnectionStatus {
  /**
   * `connecting` until the first welcome; `connected` once the missed operations are there; `reconnecting` after a loss,
   * `offline` if moreover the device says that it has no network; `closed` does not reconnect by itself (`retryNow()` does,
   * except after `close()`).
   */
  readonly state: "connecting" | "connected" | "reconnecting" | "offline" | "closed";
  /** Unix ms of the next attempt, while one is awaited. */
  readonly retryAt?: number;
  readonly reason?: ConnectionReason;
}

/** Somebody else in the document. `state.cursor` is in coordinates of `session.content`, and moves with the text. */
export type Peer = Omit<WirePeer, "base">;

export interface ChangeEvent {
  /** What changed; several operations that arrived together are composed. */
  readonly delta: Delta;
  /** The document after it. */
  readonly content: Delta;
  readonly source: "local" | "remote" | "undo" | "rollback" | "reset";
  /** What the caller of `edit` gave as `source`: an editor knows its own edits by it. */
  readonly origin?: unknown;
  /** User id and client of a remote change, if a single author made it. */
  readonly user?: string;
  readonly client?: string;
}

/** Something the user made that is not in the document any more, and why. */
export interface LostEvent {
  readonly delta: Delta;
  /** `reset` if the server replaced the content. */
  readonly code: QuireErrorCode;
  readonly message: string;
  /** What the lost edit inserted, as plain text: to be offered for copying. */
  readonly text: string;
}

export interface SessionEvents {
  /** The content is there for the first time. */
  ready: undefined;
  /** Before anything but a local edit changes the content: an editor hands over now what it has not reported yet. */
  willchange: undefined;
  change: ChangeEvent;
  peers: readonly Peer[];
  connection: ConnectionStatus;
  /** `saved` or `pendingCount` changed. */
  saved: { readonly saved: boolean; readonly pendingCount: number; readonly savedAt?: number };
  lost: LostEvent;
  /** The server complained about something other than an edit of the user. */
  error: QuireError;
  role: Role;
  /** The operation `seq` has arrived and is not durable yet (option `receipts`). */
  received: { readonly seq: number };
  /** `canUndo` or `canRedo` may have changed. */
  undo: { readonly canUndo: boolean; readonly canRedo: boolean };
  deleted: undefined;
}

/** A document that is open: its content with the user's own edits in it at once, and everybody else's as they come. */
export interface DocumentSession {
  /** Id of the document. */
  readonly id: string;
  /** UUID of this replica, in lower case. It changes if the server says that it belongs to another user. */
  readonly client: string;
  /** Inserts only; never modified in place, so a reference stays what it was. Empty before `ready`. */
  readonly content: Delta;
  /** The last version that this replica holds. */
  readonly version: number;
  readonly ready: boolean;
  readonly user: UserInfo | undefined;
  readonly role: Role | undefined;
  /** False before `ready`, for viewers and commenters, and once closed for good. */
  readonly canEdit: boolean;
  readonly peers: readonly Peer[];
  readonly connection: ConnectionStatus;
  /** Unix ms at which the server committed the last operation that this session has seen. */
  readonly savedAt: number | undefined;
  /** Nothing in flight, nothing buffered, nothing announced. */
  readonly saved: boolean;
  /** Unix ms, this device's clock: when the oldest of what is not saved was made. */
  readonly unsavedSince: number | undefined;
  /** Edits of the user that are not known to be durable. */
  readonly pendingCount: number;

  /**
   * Applies an edit of the user at once and sends it as soon as possible.
   * @throws {QuireError} what the server would refuse (`bad_op`, `too_large`, `read_only`), `indivisible`, `not_ready`,
   * `closed`; nothing is changed then.
   */
  edit(delta: Delta | DeltaOp[], source?: unknown): void;

  readonly canUndo: boolean;
  readonly canRedo: boolean;
  /** Undoes the last step of the user's own edits, whatever others did since. False if there is none. */
  undo(): boolean;
  redo(): boolean;
  /** What is typed next begins a step of its own. */
  breakUndo(): void;

  /**
   * Says where the user is and what they do; `null` takes it back. `state.cursor` is in coordinates of `content`, and moves
   * with the text by itself. Sent at most 10 times a second, and again after each reconnect.
   * @throws {QuireError} `too_large` from `limits.presence_bytes` on.
   */
  setPresence(state: PresenceState | null): void;

  /**
   * Lets what the server sends wait, for example while an input method composes; the returned function lets it in. Calls
   * nest. Local edits go on.
   */
  holdRemote(): () => void;

  /**
   * Says that the user has made something that is not an edit yet, as the text that an input method composes: `saved` is
   * false until the returned function is called. Calls nest.
   */
  announceEdit(): () => void;

  on<E extends keyof SessionEvents>(event: E, listener: (value: SessionEvents[E]) => void): () => void;

  /** Resolves at `ready`; rejects if the session closes first. */
  whenReady(): Promise<void>;
  /** Resolves when nothing is pending; rejects if the session closes first. */
  whenSaved(): Promise<void>;

  /** Changes the name of a guest. Others see it after a new connection, which is made at once; nothing pending is lost. */
  rename(name: string): void;

  /**
   * The user has signed in: connects anew at once, as whom `token` tells. Nothing pending is lost, unless this replica is
   * another user's: then it comes as `lost`.
   */
  authenticate(): void;

  /** Connects now instead of waiting for the next attempt. */
  retryNow(): void;
  /** What the device knows about its network; browsers' own events are listened to already. */
  setOnline(online: boolean): void;
  /** Ends the session. What is pending is not sent any more: wait for `whenSaved()` first. */
  close(): void;
}
