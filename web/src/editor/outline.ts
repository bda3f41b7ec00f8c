/** The side panel: the headings of the document, each leading to its place. Esc closes it. */
import type Quill from "quill/core.js";
import { el, fill } from "../dom";
import { iconButton } from "../ui/button";

/** Headings rarely change while somebody types: they are read again after this pause, in ms. */
const PAUSE = 250;

interface Heading {
  level: number;
  text: string;
  node: HTMLElement;
}

export class Outline {
  readonly button: HTMLButtonElement;
  readonly element: HTMLElement;
  private readonly list = el("nav", { class: "outline-list", "aria-label": "Outline" });
  private timer = 0;
  /** What had the focus when it was opened. */
  private from: Element | null = null;

  constructor(private readonly quill: Quill) {
    this.button = iconButton({ icon: "outline", label: "Outline", keys: "Mod+Alt+O", onClick: () => this.toggle() });
    this.button.setAttribute("aria-expanded", "false");
    this.button.setAttribute("aria-controls", "outline");
    this.element = el(
      "aside",
      { id: "outline", class: "outline", "aria-label": "Outline" },
      el(
        "header",
        {},
        el("h2", {}, "Outline"),
        iconButton({ icon: "close", label: "Close the outline", onClick: () => this.close() }),
      ),
      this.list,
    );
    this.element.hidden = true;
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    quill.on("text-change", () => this.drawSoon());
  }

  toggle(): void {
    if (!this.element.hidden) {
      this.close();
      return;
    }
    this.from = document.activeElement;
    this.element.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.draw();
    this.element.querySelector("button")?.focus();
  }

  private close(): void {
    this.element.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    // Back to where it was opened from: by keyboard that is the sheet, most of the time.
    if (this.from === this.quill.root) this.quill.focus();
    else this.button.focus();
  }

  private drawSoon(): void {
    if (this.element.hidden) return;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.draw(), PAUSE);
  }

  private draw(): void {
    const headings = this.headings();
    if (headings.length === 0) {
      fill(
        this.list,
        el("p", { class: "hint" }, "Headings appear here. A line that begins with # and a blank becomes one."),
      );
      return;
    }
    fill(this.list, ...headings.map((heading) => this.drawHeading(heading)));
  }

  private drawHeading({ level, text, node }: Heading): HTMLElement {
    return el(
      "button",
      { type: "button", class: `outline-item level-${level}`, on: { click: () => this.goTo(node) } },
      text,
    );
  }

  private headings(): Heading[] {
    return [...this.quill.root.querySelectorAll<HTMLElement>("h1, h2, h3, h4, h5, h6")]
      .map((node) => ({ level: Number(node.tagName[1]), text: node.textContent.trim(), node }))
      .filter((heading) => heading.text !== "");
  }

  /** The caret goes along, so that typing begins there; on a small screen the panel makes room for it. */
  private goTo(node: HTMLElement): void {
    node.scrollIntoView({ block: "start" });
    if (matchMedia("(max-width: 720px)").matches) this.close();
    const blot = this.quill.scroll.find(node);
    if (blot) this.quill.setSelection(this.quill.getIndex(blot), 0, "user");
  }
}
