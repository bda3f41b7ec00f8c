/** The title of the document, edited where it stands. */
import { explain, getDocument, renameDocument } from "../api";
import { UNTITLED, titleOf } from "../documents/entry";
import { TITLE_LENGTH } from "../documents/row";
import { el } from "../dom";
import { showToast } from "../ui/toast";

/** After the last key, in ms, before a new title is sent. */
const PAUSE = 600;
/** Others' new titles are asked for this often, in ms, while the page is looked at. */
const REFRESH = 20_000;

export class Title {
  readonly element = el("input", {
    class: "title",
    placeholder: UNTITLED,
    "aria-label": "Title of the document",
    maxlength: TITLE_LENGTH,
    autocomplete: "off",
    spellcheck: "false",
  });
  /** As the server has it. */
  private kept = "";
  private timer = 0;

  /** `leave` puts the focus into the sheet, after Enter. */
  constructor(
    private readonly id: string,
    leave: () => void,
  ) {
    this.element.addEventListener("input", () => this.sendSoon());
    this.element.addEventListener("blur", () => void this.send());
    this.element.addEventListener("focus", () => {
      if (this.element.value === UNTITLED) this.element.select();
    });
    // A press would put the caret where it was made, after the focus has selected the text.
    this.element.addEventListener("mousedown", (event) => {
      if (this.element.value !== UNTITLED || document.activeElement === this.element) return;
      event.preventDefault();
      this.element.focus();
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
      // The focus moves before the key has acted: the sheet would get it, and begin with an empty line.
      event.preventDefault();
      if (event.key === "Escape") this.takeBack();
      leave();
    });
    setInterval(() => void this.refresh(), REFRESH);
    document.addEventListener("visibilitychange", () => void this.refresh());
  }

  /** Shows the title that the server has, unless the person is changing it. */
  show(title: string): void {
    const changing = this.element.value !== this.kept;
    this.kept = title;
    if (!changing) this.element.value = title;
    this.label();
  }

  /** As it stands in the field. */
  get text(): string {
    return this.element.value.trim();
  }

  focus(): void {
    this.element.focus();
    this.element.select();
  }

  private takeBack(): void {
    clearTimeout(this.timer);
    this.element.value = this.kept;
    this.label();
  }

  private sendSoon(): void {
    this.label();
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.send(), PAUSE);
  }

  private async send(): Promise<void> {
    clearTimeout(this.timer);
    const before = this.kept;
    const title = this.element.value.trim();
    if (title === before) return;
    this.kept = title;
    try {
      await renameDocument(this.id, title);
    } catch (error) {
      if (this.kept === title) this.kept = before;
      showToast({
        text: explain(error, "The title was not changed on the server; it is still in its field."),
        fault: true,
      });
    }
  }

  private async refresh(): Promise<void> {
    if (document.visibilityState !== "visible" || this.element === document.activeElement) return;
    try {
      this.show((await getDocument(this.id)).title);
    } catch {
      // The title is as fresh as the connection; the state line tells of that.
    }
  }

  /** Names the tab; browsers without `field-sizing` take the width from `size`. */
  private label(): void {
    const shown = titleOf({ title: this.element.value });
    document.title = `${shown} · quire`;
    this.element.size = Math.max(8, shown.length);
    this.element.title = shown;
  }
}
