import type { ErrorCode } from "./protocol.gen.js";

/**
 * Why an edit was not taken. The codes of the protocol (section 6), and four of the client's own: `not_ready` (no
 * content has arrived yet), `closed` (the session has ended), `reset` (the server replaced the content), `indivisible`
 * (an embed, or the attributes of one part, take more than a frame may hold: text of that size is cut, these cannot be).
 */
export type QuireErrorCode = ErrorCode | "not_ready" | "closed" | "reset" | "indivisible";

/** An edit or a presence state that was refused before it was applied: the document is as it was. */
export class QuireError extends Error {
  override readonly name = "QuireError";

  constructor(
    readonly code: QuireErrorCode,
    message: string,
  ) {
    super(message);
  }
}
