export type {
  ChangeEvent,
  ConnectionReason,
  ConnectionStatus,
  DocumentSession,
  LostEvent,
  OpenOptions,
  Peer,
  SessionEvents,
} from "./api.js";
export type { Clock } from "./clock.js";
export { QuireError, type QuireErrorCode } from "./errors.js";
export type { Cursor, DeltaOp, ErrorCode, Limits, PresenceState, Role, UserInfo } from "./protocol.gen.js";
export { askBeforeLeaving } from "./leaving.js";
export { open } from "./session.js";
/** What documents and edits are: that of `quill-delta`, so that nobody needs another copy of it. */
export { default as Delta } from "quill-delta";
export { platformSocket, type Socket, type SocketFactory } from "./socket.js";
