// Generated from src/protocol.rs: QUIRE_WRITE_TYPES=1 cargo test typescript

/** One part of a delta: exactly one of `insert`, `retain`, `delete`. Lengths are UTF-16 code units. */
export interface DeltaOp {
  insert?: string | Record<string, unknown>;
  retain?: number;
  delete?: number;
  attributes?: Record<string, unknown>;
}

/** The short form of an operation. Positions and lengths are UTF-16 code units. */
export type Edit =
  | { type: "insert"; pos: number; text: string; attributes?: Record<string, unknown> }
  | { type: "delete"; pos: number; len: number }
  | { type: "format"; pos: number; len: number; attributes: Record<string, unknown> };

/** Where a client is and what it does. */
export interface PresenceState {
  cursor?: Cursor;
  status?: "active" | "typing" | "selecting" | "idle";
  [key: string]: unknown;
}

export type Cursor = { index: number, length: number, };

export type Role = "owner" | "editor" | "commenter" | "viewer";

export type UserInfo = { id: string, name: string, 
/**
 * `#rrggbb`.
 */
color: string, };

export type Peer = { session: string, client: string, user: UserInfo, state: PresenceState | null, 
/**
 * The version whose coordinates the cursor is in.
 */
base: number, };

export type Limits = { 
/**
 * Bytes of a client's frame.
 */
frame_bytes: number, 
/**
 * Parts of one operation.
 */
ops: number, 
/**
 * Bytes of a document: text as UTF-8 plus attributes.
 */
document_bytes: number, 
/**
 * Bytes that a presence state has to stay below.
 */
presence_bytes: number, 
/**
 * Operations a second of one user, over all sessions.
 */
ops_per_second: number, 
/**
 * Versions that an operation's base may be behind.
 */
base_lag: number, };

export type CommittedOp = { client: string, seq: number, user: string, 
/**
 * Unix ms, never falling within a document.
 */
at: number, delta: DeltaOp[], };

export type ReconnectReason = "draining" | "moved" | "lagging" | "replaced";

export type ErrorCode = "unavailable" | "internal" | "rate_limited" | "stale_base" | "future_base" | "bad_op" | "too_large" | "forbidden" | "read_only" | "bad_request" | "not_found" | "conflict" | "unauthorized";

export type Hello = { type: "hello", 
/**
 * One per replica, kept with its offline queue.
 */
client: string, 
/**
 * The version that the replica holds.
 */
since?: number, 
/**
 * The history of that version; without it, taken to be the server's.
 */
history?: string, 
/**
 * The name that a guest goes by.
 */
name?: string, 
/**
 * Whether `received` is wanted.
 */
receipts?: boolean, 
/**
 * The version at which the replica's text differed from the server's hash.
 */
diverged?: number, };

export type OpMessage = { type: "op", 
/**
 * Per client and document, rising.
 */
seq: number, 
/**
 * The version that the edit was made on.
 */
base: number, delta?: DeltaOp[], edit?: Edit, };

export type PresenceMessage = { type: "presence", state: PresenceState | null, 
/**
 * The version whose coordinates the cursor is in.
 */
base: number, };

export type AuthMessage = { type: "auth", token: string, };

export type PingMessage = { type: "ping", 
/**
 * Any number; it comes back.
 */
t: number, };

export type Welcome = { type: "welcome", session: string, doc: string, kind: 'rich-text', history: string, 
/**
 * The durable head, or what `content` is at.
 */
version: number, role: Role, user: UserInfo, 
/**
 * The last committed `seq` of this client, 0 if none.
 */
last_seq: number, peers: Array<Peer>, limits: Limits, expires_at?: number, 
/**
 * The document at `version`; absent when `since` is given back.
 */
content?: DeltaOp[], 
/**
 * The version from which `ops` follow.
 */
since?: number, 
/**
 * What the client held cannot be continued: `content` replaces it.
 */
reset?: boolean, };

export type OpsMessage = { type: "ops", base: number, ops: Array<CommittedOp>, 
/**
 * xxh3-64 of the text after the last operation, 16 hex digits.
 */
hash?: string, };

export type Received = { type: "received", seq: number, };

export type Ack = { type: "ack", seq: number, version: number, };

export type PeersMessage = { type: "presence", peers: Array<Peer>, };

export type RoleMessage = { type: "role", role: Role, expires_at?: number, };

export type Reconnect = { type: "reconnect", reason: ReconnectReason, after_ms: number, };

export type ErrorMessage = { type: "error", code: ErrorCode, message: string, seq?: number, retry_after_ms?: number, 
/**
 * Followed by a close.
 */
fatal: boolean, };

export type Pong = { type: "pong", t: number, };

export type ClientMessage = Hello | OpMessage | PresenceMessage | AuthMessage | PingMessage;

export type ServerMessage = Welcome | OpsMessage | Received | Ack | PeersMessage | RoleMessage | Reconnect | ErrorMessage | Pong;
