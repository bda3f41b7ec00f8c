import type Delta from "quill-delta";
import type Quill from "quill";
import type { Cursor } from "../protocol.gen.js";

/**
 * The caret while the focus is elsewhere on the page: on a button, in a menu. After each change Quill puts its selection
 * back, and a selection in it takes the focus along, out of the hands of whoever uses the keyboard. So without the focus
 * Quill is told that it has none; its place is kept here, moved with the text, and given back with the focus.
 */
export class RestingCaret {
  private place: Cursor | undefined;
  private moved = false;

  constructor(private readonly quill: Quill) {}

  /** Returns what ends it. */
  follow(): () => void {
    const { root } = this.quill;
    const rest = (): void => this.rest();
    const wake = (): void => this.wake();
    root.addEventListener("blur", rest);
    root.addEventListener("focus", wake);
    return () => {
      root.removeEventListener("blur", rest);
      root.removeEventListener("focus", wake);
    };
  }

  /** Whether the editor's own selection is not where the caret belongs. */
  get stale(): boolean {
    return this.moved && !this.quill.hasFocus();
  }

  /** Runs a change of the text that others made, as `delta` says unless all is replaced. */
  during(change: () => void, delta: Delta | undefined): void {
    const { quill } = this;
    // One that is read-only takes no focus, and what a reader has selected to copy is worth keeping.
    if (quill.hasFocus() || !quill.isEnabled()) {
      change();
      return;
    }
    quill.getSelection = (() => null) as Quill["getSelection"];
    try {
      change();
    } finally {
      Reflect.deleteProperty(quill, "getSelection");
    }
    this.move(delta);
  }

  private move(delta: Delta | undefined): void {
    if (!this.place) return;
    this.moved = true;
    if (!delta) return;
    // As Quill has it: what is inserted at the caret comes after it.
    const [start, end] = [this.place.index, this.place.index + this.place.length];
    const index = delta.transformPosition(start, true);
    this.place = { index, length: Math.max(0, delta.transformPosition(end, true) - index) };
  }

  private rest(): void {
    // The window lost the focus, and the editor has it within the window.
    if (this.quill.hasFocus()) return;
    this.place = this.quill.getSelection() ?? this.quill.selection.savedRange;
    this.moved = false;
  }

  private wake(): void {
    const { place, moved, quill } = this;
    this.place = undefined;
    this.moved = false;
    if (!place || !moved) return;
    // A press that brings the focus puts the caret where it was made, after this.
    quill.setSelection(place.index, place.length, "silent");
  }
}
