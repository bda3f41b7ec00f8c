import Delta from "quill-delta";
import type Quill from "quill";
import type { EmitterSource, Range } from "quill";
import type { ChangeEvent, DocumentSession } from "./api.js";
import { type Clock, systemClock } from "./clock.js";
import { replacement } from "./delta/replacement.js";
import { QuireError } from "./errors.js";
import type { DeltaOp } from "./protocol.gen.js";
import { Composition } from "./quill/composition.js";
import { routeUndo } from "./quill/history.js";
import { EditorPresence } from "./quill/presence.js";
import { RestingCaret } from "./quill/resting-caret.js";
import { endsWithNewline, forQuill, withNewline, withoutStrayBlocks } from "./quill/view.js";

export interface BindOptions {
  /** Shows the user's caret and status to the others; true by default. */
  presence?: boolean;
  /** Fields to add to each presence state. */
  presenceFields?: () => Record<string, unknown>;
  /** An edit of the user was refused before it was applied (too large, read-only); the editor shows the text as before. */
  onRefused?: (error: QuireError) => void;
  /**
   * The document holds something that this editor cannot show without moving what comes after it. It is shown as far as
   * possible, and cannot be edited here any more.
   */
  onUnsupported?: () => void;
  clock?: Clock;
}

/**
 * Binds a Quill 2 editor to an open document: each shows what happens in the other, until the returned function is called.
 * The editor is enabled while the session can be edited, and its undo undoes the user's own edits.
 *
 * Only what Quill reports as done by the user is sent. Where the document lacks the line break that Quill needs at the end,
 * the editor shows one of its own, which becomes part of the document together with the user's next edit.
 */
export function bindQuill(quill: Quill, session: DocumentSession, options: BindOptions = {}): () => void {
  const binding = new Binding(quill, session, options);
  return () => binding.unbind();
}

class Binding {
  /** The document as the editor shows it, its own line break left out. */
  private shown = new Delta();
  private applying = false;
  private unsupported = false;
  private readonly presence: EditorPresence | undefined;
  private readonly caret: RestingCaret;
  private readonly composition: Composition;
  private readonly stops: (() => void)[];

  constructor(
    private readonly quill: Quill,
    private readonly session: DocumentSession,
    private readonly options: BindOptions,
  ) {
    const clock = options.clock ?? systemClock;
    if (options.presence !== false) {
      const fields = options.presenceFields ?? (() => ({}));
      this.presence = new EditorPresence(session, clock, fields);
    }
    this.caret = new RestingCaret(quill);
    this.composition = new Composition(quill, session, clock);
    this.stops = [this.composition.follow(), this.caret.follow(), ...this.followEditor(), ...this.followSession()];
    if (session.ready) this.showAll();
    this.enable();
  }

  unbind(): void {
    this.stops.forEach((stop) => stop());
    this.presence?.stop();
  }

  private followEditor(): (() => void)[] {
    const { quill } = this;
    const onText = (delta: Delta, before: Delta, source: EmitterSource): void => this.edited(delta, before, source);
    const onAny = (event: string, range: unknown, _old: unknown, source: unknown): void => {
      if (event === "selection-change") this.selected(range as Range | null, source === "silent");
    };
    quill.on("text-change", onText);
    quill.on("editor-change", onAny);
    const stopUndo = routeUndo(quill, {
      undo: () => this.refusable(() => this.session.undo()),
      redo: () => this.refusable(() => this.session.redo()),
      cutoff: () => this.session.breakUndo(),
    });
    return [
      () => quill.off("text-change", onText),
      () => quill.off("editor-change", onAny),
      stopUndo,
    ];
  }

  private followSession(): (() => void)[] {
    const { session } = this;
    return [
      session.on("ready", () => {
        this.showAll();
        this.enable();
      }),
      // What the browser has changed and Quill has not seen yet was done before what comes now.
      session.on("willchange", () => this.quill.update("user")),
      session.on("change", (event) => this.changed(event)),
      session.on("role", () => this.enable()),
      session.on("connection", () => this.enable()),
    ];
  }

  private edited(delta: Delta, before: Delta, source: EmitterSource): void {
    if (this.applying) return;
    if (source !== "user" || this.unsupported) {
      // The page changed the editor's text by itself. That is not an edit of the user, so it does not last.
      this.showAll();
      return;
    }
    this.presence?.typed();
    const refused = this.refusable(() => this.session.edit(this.withOwnNewline(delta), this));
    if (refused) this.show(delta.invert(before));
  }

  /** The user's edit on the document itself: the line break that only the editor had comes with it. */
  private withOwnNewline(delta: Delta): Delta {
    const { content } = this.session;
    if (endsWithNewline(content)) return delta;
    return new Delta().retain(content.length()).insert("\n").compose(delta);
  }

  private changed({ delta, content, source, origin }: ChangeEvent): void {
    const before = this.shown;
    this.shown = content;
    if (origin === this) return;
    const both = endsWithNewline(before) && endsWithNewline(this.shown);
    this.show(both ? delta : replacement(withNewline(before), withNewline(this.shown)));
    if (source === "undo" && this.quill.hasFocus()) this.select(delta);
  }

  /** Puts a change into the editor without taking it for the user's. */
  private show(delta: Delta): void {
    this.apply(() => this.quill.updateContents(forQuill(delta, this.quill), "api"), delta);
    if (!this.inStep()) this.showAll();
  }

  private showAll(): void {
    this.shown = this.session.content;
    const view = forQuill(withNewline(this.shown), this.quill);
    this.apply(() => this.quill.setContents(view, "api"));
    if (!this.inStep()) this.apply(() => this.quill.setContents(withoutStrayBlocks(view, this.quill), "api"));
    if (!this.inStep()) this.giveUp();
  }

  private apply(change: () => void, delta?: Delta): void {
    this.applying = true;
    try {
      this.composition.during(() => this.caret.during(change, delta));
    } catch {
      // A format could not show its value; whether anything is out of place is looked at next.
    } finally {
      this.applying = false;
    }
  }

  /** Whether every position in the editor is the same position in the document. */
  private inStep(): boolean {
    return this.quill.getLength() === this.shown.length() + (endsWithNewline(this.shown) ? 0 : 1);
  }

  /** Edits made now would land in the wrong places, so none are taken. */
  private giveUp(): void {
    if (this.unsupported) return;
    this.unsupported = true;
    this.enable();
    this.options.onUnsupported?.();
  }

  private enable(): void {
    const enabled = this.session.canEdit && !this.unsupported;
    if (this.quill.isEnabled() !== enabled) this.quill.enable(enabled);
  }

  private selected(range: Range | null, byText: boolean): void {
    if (!this.applying && !this.caret.stale) this.presence?.selected(range, byText);
  }

  /** The caret goes to the end of what an undo changed. */
  private select(delta: Delta): void {
    const parts = delta.ops as DeltaOp[];
    const end = delta.length() - parts.reduce((sum, part) => sum + (part.delete ?? 0), 0);
    const atLineEnd = parts.at(-1)?.delete === undefined && this.quill.getText(end - 1, 1) === "\n";
    this.quill.setSelection(atLineEnd ? end - 1 : end, 0, "user");
  }

  /** True if the session refused. */
  private refusable(act: () => unknown): boolean {
    try {
      act();
      return false;
    } catch (error) {
      if (!(error instanceof QuireError)) throw error;
      this.options.onRefused?.(error);
      return true;
    }
  }
}
