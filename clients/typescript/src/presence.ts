import type Delta from "quill-delta";
import type { Clock } from "./clock.js";
import { sameParts } from "./delta/equal.js";
import { clampCursor, cursorBefore, moveCursor } from "./delta/positions.js";
import type { Cursor, PresenceMessage, PresenceState } from "./protocol.gen.js";

/** At most 10 a second: what comes sooner is coalesced. */
const INTERVAL_MS = 100;

/**
 * What this user shows of themselves, and what the others see of it. Both cursors move with the text, as every receiver
 * moves them; a frame is due only when the two differ. So typing alone sends none: the own insert moves the caret there too.
 */
export class OwnPresence {
  /** In coordinates of the content, pending edits included. */
  private wanted: PresenceState | null = null;
  /** In coordinates of the server's content. */
  private shown: PresenceState | null = null;

  set(state: PresenceState | null, contentLength: number): void {
    this.wanted = state?.cursor ? { ...state, cursor: clampCursor(state.cursor, contentLength) } : state;
  }

  /** The content changed, by the user's own hand or by somebody else's. */
  contentChanged(change: Delta, own: boolean): void {
    this.wanted = withCursor(this.wanted, (cursor) => moveCursor(cursor, change, own));
  }

  /** The server committed an operation. */
  committed(operation: Delta, own: boolean): void {
    this.shown = withCursor(this.shown, (cursor) => moveCursor(cursor, operation, own));
  }

  /** A new session: nobody has seen anything of it. */
  forgetShown(): void {
    this.shown = null;
  }

  /**
   * The frame that is due, if any; it counts as shown then.
   * @param pending everything pending, oldest first: the cursor goes out in coordinates without it
   */
  take(pending: readonly Delta[], base: number): PresenceMessage | undefined {
    const state = withCursor(this.wanted, (cursor) =>
      pending.reduceRight((at, operation) => cursorBefore(at, operation), cursor),
    );
    if (sameParts([{ insert: { state } }], [{ insert: { state: this.shown } }])) return undefined;
    this.shown = state;
    return { type: "presence", state, base };
  }
}

/** Calls `send` as often as presence may be sent: at once if it can be, else when the interval is over. */
export class PresenceTimer {
  private sentAt = -Infinity;
  private cancel: (() => void) | undefined;

  /** @param send true if it sent a frame */
  constructor(
    private readonly clock: Clock,
    private readonly send: () => boolean,
  ) {}

  /** Something may have to be sent. */
  poke(): void {
    if (this.cancel) return;
    const wait = this.sentAt + INTERVAL_MS - this.clock.now();
    if (wait <= 0) this.fire();
    else this.cancel = this.clock.after(wait, () => this.fire());
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  private fire(): void {
    this.cancel = undefined;
    if (this.send()) this.sentAt = this.clock.now();
  }
}

/** The same state with its cursor, if it has one, put elsewhere. */
export function withCursor<S extends PresenceState | null>(state: S, move: (cursor: Cursor) => Cursor): S {
  return state?.cursor ? { ...state, cursor: move(state.cursor) } : state;
}
