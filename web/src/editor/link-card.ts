/** A small card below the link that the caret is in: where it leads, and a way to change it. */
import type Quill from "quill/core.js";
import { el, setText } from "../dom";
import { iconButton } from "../ui/button";
import { askLink } from "./link";

export class LinkCard {
  private readonly address = el("a", { class: "link-card-address", target: "_blank", rel: "noopener noreferrer" });
  readonly element = el(
    "div",
    { class: "link-card", role: "group", "aria-label": "Link" },
    this.address,
    iconButton({ icon: "rename", label: "Change the link", onClick: () => void askLink(this.quill) }),
  );
  private frame = 0;

  constructor(private readonly quill: Quill) {
    this.element.hidden = true;
    // A press on the card must not take the caret out of the link, which would close the card.
    this.element.addEventListener("pointerdown", (event) => event.preventDefault());
    quill.on("editor-change", () => {
      if (this.frame === 0) this.frame = requestAnimationFrame(() => this.update());
    });
  }

  private update(): void {
    this.frame = 0;
    const anchor = this.anchorAtCaret();
    this.element.hidden = anchor === null;
    if (!anchor) return;
    this.address.href = anchor.href;
    setText(this.address, anchor.getAttribute("href") ?? "");
    const place = anchor.getBoundingClientRect();
    const origin = this.element.offsetParent?.getBoundingClientRect();
    const room = (origin?.width ?? 0) - this.element.offsetWidth;
    const left = Math.max(0, Math.min(place.left - (origin?.left ?? 0), room));
    this.element.style.transform = `translate(${left}px, ${place.bottom - (origin?.top ?? 0)}px)`;
  }

  private anchorAtCaret(): HTMLAnchorElement | null {
    const [range] = this.quill.selection.getRange();
    if (range?.length !== 0 || !this.quill.hasFocus()) return null;
    const [leaf] = this.quill.getLeaf(range.index);
    return leaf?.domNode.parentElement?.closest("a") ?? null;
  }
}
