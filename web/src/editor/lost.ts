/** What the server did not take, with its text to copy: it stays until the person has put it away. */
import type { LostEvent } from "@quire/client";
import { el } from "../dom";
import { textButton } from "../ui/button";
import { reasonOf } from "./reasons";

export class LostShelf {
  readonly element = el("section", { class: "lost", role: "alert", "aria-label": "Changes that were not kept" });

  constructor() {
    this.element.hidden = true;
  }

  add(lost: LostEvent): void {
    const card = el(
      "article",
      { class: "lost-card" },
      el("p", {}, el("strong", {}, "A change of yours was not kept. "), reasonOf(lost)),
    );
    if (lost.text) card.append(el("blockquote", { class: "lost-text", tabindex: 0 }, lost.text));
    const copy = textButton({ label: "Copy the text", icon: "copy", onClick: () => void this.copy(lost.text, copy) });
    const close = textButton({ label: "Put away", onClick: () => this.remove(card) });
    card.append(el("div", { class: "dialog-actions" }, close, lost.text !== "" && copy));
    this.element.append(card);
    this.element.hidden = false;
  }

  private remove(card: HTMLElement): void {
    card.remove();
    this.element.hidden = this.element.childElementCount === 0;
  }

  private async copy(text: string, button: HTMLButtonElement): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // The clipboard is closed to pages without https or permission: selecting it is the next best thing.
      const shown = button.closest(".lost-card")?.querySelector(".lost-text");
      if (shown) getSelection()?.selectAllChildren(shown);
      button.textContent = "Selected: copy it with the keyboard";
    }
  }
}
