/** A titled part of the account page, with a line that says what has been done. */
import { el, setText, type Child } from "../dom";

export class Section {
  private readonly said = el("p", { class: "done", role: "status" });
  readonly element: HTMLElement;

  constructor(title: string, ...children: Child[]) {
    this.element = el("section", { "aria-label": title }, el("h2", {}, title), ...children, this.said);
  }

  say(text: string): void {
    setText(this.said, text);
  }
}
