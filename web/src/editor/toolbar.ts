/** The toolbar: one stop for Tab, arrows within it. Pressing a button leaves the caret where it is. */
import type Quill from "quill/core.js";
import { el } from "../dom";
import { iconButton } from "../ui/button";
import type { Command, CommandGroup } from "../ui/commands";
import { attachMenu, type MenuItem } from "../ui/menu";
import { askLink } from "./link";
import type { IconName } from "../ui/icons";

/** A format that a button or a menu item switches on and off. */
interface Style {
  label: string;
  icon: IconName;
  keys: string;
  format: string;
  value: string | number | boolean;
  /** Quill's own keyboard module knows the shortcut. */
  elsewhere?: boolean;
}

const LETTERS: Style[] = [
  { label: "Bold", icon: "bold", keys: "Mod+B", format: "bold", value: true, elsewhere: true },
  { label: "Italic", icon: "italic", keys: "Mod+I", format: "italic", value: true, elsewhere: true },
  { label: "Underline", icon: "underline", keys: "Mod+U", format: "underline", value: true, elsewhere: true },
  { label: "Strikethrough", icon: "strike", keys: "Mod+Shift+X", format: "strike", value: true },
  { label: "Code", icon: "code", keys: "Mod+E", format: "code", value: true },
];

const LINES: Style[] = [
  { label: "Bulleted list", icon: "list", keys: "Mod+Shift+8", format: "list", value: "bullet" },
  { label: "Numbered list", icon: "ordered-list", keys: "Mod+Shift+7", format: "list", value: "ordered" },
  { label: "Checklist", icon: "checklist", keys: "Mod+Shift+9", format: "list", value: "unchecked" },
  { label: "Quote", icon: "quote", keys: "Mod+Shift+6", format: "blockquote", value: true },
  { label: "Code block", icon: "code-block", keys: "Mod+Alt+C", format: "code-block", value: true },
];

const PARAGRAPHS: Style[] = [
  { label: "Text", icon: "paragraph", keys: "Mod+Alt+0", format: "header", value: false },
  { label: "Heading 1", icon: "heading1", keys: "Mod+Alt+1", format: "header", value: 1 },
  { label: "Heading 2", icon: "heading2", keys: "Mod+Alt+2", format: "header", value: 2 },
  { label: "Heading 3", icon: "heading3", keys: "Mod+Alt+3", format: "header", value: 3 },
];

/** Of the session, which knows whose edits are whose; `quill.history` leads there. */
export interface Undoing {
  readonly canUndo: boolean;
  readonly canRedo: boolean;
}

export class Toolbar {
  readonly element = el("div", { class: "toolbar", role: "toolbar", "aria-label": "Format", "aria-controls": "sheet" });
  private readonly toggles = new Map<Style, HTMLButtonElement>();
  private readonly undo: HTMLButtonElement;
  private readonly redo: HTMLButtonElement;
  private readonly paragraph = el(
    "button",
    { type: "button", class: "paragraph-button", title: "Kind of paragraph" },
    "Text",
  );
  private frame = 0;
  private formats: Record<string, unknown> = {};

  constructor(
    private readonly quill: Quill,
    private readonly undoing: Undoing,
  ) {
    this.undo = iconButton({ icon: "undo", label: "Undo", keys: "Mod+Z", onClick: () => this.undoOnce() });
    this.redo = iconButton({ icon: "redo", label: "Redo", keys: "Mod+Shift+Z", onClick: () => this.redoOnce() });
    attachMenu(this.paragraph, "Kind of paragraph", () => PARAGRAPHS.map((style) => this.paragraphItem(style)));
    this.element.append(
      group(this.undo, this.redo),
      group(this.paragraph),
      group(
        ...LETTERS.map((style) => this.toggle(style)),
        iconButton({ icon: "link", label: "Link", keys: "Mod+Alt+K", onClick: () => void askLink(quill) }),
      ),
      group(...LINES.map((style) => this.toggle(style))),
      group(
        iconButton({ icon: "outdent", label: "Less indent", onClick: () => this.indent("-1") }),
        iconButton({ icon: "indent", label: "More indent", onClick: () => this.indent("+1") }),
      ),
      group(iconButton({ icon: "clear", label: "Clear the formatting", keys: "Mod+\\", onClick: () => this.clear() })),
    );
    // A press must not take the focus out of the sheet: the selection, and on a phone the keyboard, would go.
    this.element.addEventListener("pointerdown", (event) => event.preventDefault());
    this.element.addEventListener("mousedown", (event) => event.preventDefault());
    this.element.addEventListener("keydown", (event) => this.walk(event));
    this.element.addEventListener("focusin", (event) => this.remember(event.target));
    quill.on("editor-change", () => this.updateSoon());
  }

  undoOnce(): void {
    this.quill.history.undo();
  }

  redoOnce(): void {
    this.quill.history.redo();
  }

  /** Shows what holds at the caret, once per frame at most. */
  updateSoon(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.update());
  }

  /** All that can be done here, for palette, shortcut list and keyboard. */
  commands(): CommandGroup {
    const styles = [...PARAGRAPHS, ...LETTERS, ...LINES].map((style): Command => ({
      ...style,
      run: () => this.apply(style),
    }));
    const others: Command[] = [
      { label: "Link", icon: "link", keys: "Mod+Alt+K", run: () => void askLink(this.quill) },
      { label: "Clear the formatting", icon: "clear", keys: "Mod+\\", run: () => this.clear() },
    ];
    const within = this.quill.root;
    return { title: "Format", commands: [...styles, ...others].map((command) => ({ ...command, within })) };
  }

  private update(): void {
    this.frame = 0;
    const enabled = this.quill.isEnabled();
    const range = this.quill.selection.getRange()[0];
    if (range) this.formats = this.quill.getFormat(range);
    for (const [style, button] of this.toggles) {
      button.setAttribute("aria-pressed", String(this.holds(style)));
    }
    const kind = PARAGRAPHS.find((style) => this.holds(style));
    this.paragraph.textContent = kind?.label ?? "Text";
    for (const button of this.element.querySelectorAll("button")) button.disabled = !enabled;
    this.undo.disabled = !enabled || !this.undoing.canUndo;
    this.redo.disabled = !enabled || !this.undoing.canRedo;
    this.keepStop();
  }

  private holds(style: Style): boolean {
    const value = this.formats[style.format];
    if (style.value === "unchecked") return value === "unchecked" || value === "checked";
    return style.value === false ? !value : value === style.value;
  }

  private toggle(style: Style): HTMLButtonElement {
    const button = iconButton({ ...style, onClick: () => this.apply(style) });
    button.setAttribute("aria-pressed", "false");
    this.toggles.set(style, button);
    return button;
  }

  private paragraphItem(style: Style): MenuItem {
    return { label: style.label, keys: style.keys, checked: this.holds(style), run: () => this.apply(style) };
  }

  private apply(style: Style): void {
    const range = this.quill.getSelection(true);
    this.formats = this.quill.getFormat(range);
    const off = this.holds(style) && style.value !== false;
    this.quill.format(style.format, off ? false : style.value, "user");
    this.updateSoon();
  }

  private indent(by: "+1" | "-1"): void {
    this.quill.getSelection(true);
    this.quill.format("indent", by, "user");
  }

  private clear(): void {
    const { index, length } = this.quill.getSelection(true);
    this.quill.removeFormat(index, length, "user");
  }

  private stops(): HTMLButtonElement[] {
    return [...this.element.querySelectorAll<HTMLButtonElement>("button:enabled")];
  }

  /** One button can always be reached with Tab, also when the one that was reached last has been disabled. */
  private keepStop(): void {
    const stops = this.stops();
    if (!stops.some((stop) => stop.tabIndex === 0)) this.remember(stops[0] ?? null);
  }

  /** Tab comes back to the button that had the focus last. */
  private remember(target: EventTarget | null): void {
    if (!(target instanceof HTMLButtonElement)) return;
    for (const button of this.element.querySelectorAll("button")) button.tabIndex = button === target ? 0 : -1;
  }

  private walk(event: KeyboardEvent): void {
    const stops = this.stops();
    const at = stops.findIndex((stop) => stop === document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape") this.quill.focus();
    if (to === undefined) return;
    event.preventDefault();
    stops.at(to % stops.length)?.focus();
  }
}

function group(...buttons: HTMLElement[]): HTMLElement {
  return el("div", { class: "toolbar-group", role: "group" }, ...buttons);
}
