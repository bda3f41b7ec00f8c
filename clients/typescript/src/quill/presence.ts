import type { DocumentSession } from "../api.js";
import type { Clock } from "../clock.js";
import type { Cursor, PresenceState } from "../protocol.gen.js";

/** Somebody counts as typing for this long after a keystroke… */
const TYPING_MS = 2_000;

/** …and as idle when nothing was done for this long. */
const IDLE_MS = 60_000;

type Status = NonNullable<PresenceState["status"]>;

/** Tells the others where this user's caret is, and whether they type, select, read or are away. */
export class EditorPresence {
  private cursor: Cursor | undefined;
  private typing = false;
  private idle = false;
  private cancel: () => void = () => undefined;

  constructor(
    private readonly session: DocumentSession,
    private readonly clock: Clock,
    /** What the page adds to the state, for example how to draw the caret. */
    private readonly extra: () => Record<string, unknown>,
  ) {}

  /** The user typed, or changed the text in another way. */
  typed(): void {
    this.typing = true;
    this.idle = false;
    this.wait(TYPING_MS, () => this.paused());
  }

  /** The selection is somewhere else; where it was when the editor loses the focus is still shown. */
  selected(range: Cursor | null, byText: boolean): void {
    if (!range) return;
    this.cursor = { index: range.index, length: range.length };
    this.idle = false;
    if (!byText || !this.typing) {
      this.typing = false;
      this.wait(IDLE_MS, () => this.away());
    }
    this.show();
  }

  stop(): void {
    this.cancel();
    this.session.setPresence(null);
  }

  private paused(): void {
    this.typing = false;
    this.wait(IDLE_MS - TYPING_MS, () => this.away());
    this.show();
  }

  private away(): void {
    this.idle = true;
    this.show();
  }

  private wait(ms: number, then: () => void): void {
    this.cancel();
    this.cancel = this.clock.after(ms, then);
  }

  private show(): void {
    this.session.setPresence({ ...this.extra(), ...(this.cursor && { cursor: this.cursor }), status: this.status });
  }

  private get status(): Status {
    if (this.idle) return "idle";
    if (this.typing) return "typing";
    return this.cursor && this.cursor.length > 0 ? "selecting" : "active";
  }
}
