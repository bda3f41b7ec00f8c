/**
 * The others' carets and selections over the sheet.
 *
 * Carets are elements that are placed once per frame: all are measured first and moved then, so that the browser lays
 * the page out once. Selections are custom highlights: the browser paints them with the text and nothing is measured.
 */
import type { Peer } from "@quire/client";
import type Quill from "quill/core.js";
import { el, setText } from "../dom";
import { COLORS, colorOf, numberOf } from "../people";
import { caretRect, placesOf, rangeBetween, type Place } from "./range";

/** How long a name stays after its caret has moved, in ms. */
const FLAG_STAYS = 2_000;
/** Room that a flag takes above its line, in px. */
const FLAG_HEIGHT = 28;
/** What is so far outside of the window counts as out of sight, in px. */
const MARGIN = 200;

interface Caret {
  element: HTMLElement;
  flag: HTMLElement;
  peer: Peer;
  /** Lowers the flag. */
  timer: number;
  /** Where it was drawn last, in px from the corner of the sheet. */
  top: number;
  left: number;
}

export class Carets {
  readonly element = el("div", { class: "carets", "aria-hidden": "true" });
  private readonly carets = new Map<string, Caret>();
  private readonly selections: Highlight[] = [];
  private frame = 0;

  /** `peers` gives everybody with their cursors as the text is now. */
  constructor(
    private readonly quill: Quill,
    private readonly peers: () => readonly Peer[],
  ) {
    // Without custom highlights a browser shows the carets alone.
    if ("highlights" in CSS) {
      for (let number = 1; number <= COLORS; number++) {
        const highlight = new Highlight();
        CSS.highlights.set(`person-${number}`, highlight);
        this.selections.push(highlight);
      }
    }
    new ResizeObserver(() => this.placeSoon()).observe(quill.root);
    // Capturing, since scrolling does not bubble: carets out of sight are measured when they come into it.
    document.addEventListener("scroll", () => this.placeSoon(), { capture: true, passive: true });
    document.fonts.addEventListener("loadingdone", () => this.placeSoon());
  }

  /** Somebody came, went, or moved. Who moved gets their flag up. */
  update(): void {
    const peers = this.peers();
    const here = new Set(peers.filter((peer) => peer.state?.cursor).map((peer) => peer.session));
    for (const [session, caret] of this.carets) {
      if (here.has(session)) continue;
      clearTimeout(caret.timer);
      caret.element.remove();
      this.carets.delete(session);
    }
    for (const peer of peers) if (peer.state?.cursor) this.draw(peer);
    this.placeSoon();
  }

  /** The text changed, by the hand of `client` if one person's: their flag goes up, and everybody's caret moves along. */
  follow(client: string | undefined): void {
    for (const peer of this.peers()) {
      const caret = this.carets.get(peer.session);
      if (!caret || !peer.state?.cursor) continue;
      caret.peer = peer;
      if (peer.client === client) this.raiseFlag(caret);
    }
    this.placeSoon();
  }

  /** Scrolls to the caret of a person; false if they have none. */
  goTo(userId: string): boolean {
    const caret = [...this.carets.values()].find(({ peer }) => peer.user.id === userId);
    if (!caret) return false;
    caret.element.scrollIntoView({ block: "center" });
    this.raiseFlag(caret);
    return true;
  }

  private draw(peer: Peer): void {
    let caret = this.carets.get(peer.session);
    if (!caret) {
      const flag = el("span", { class: "caret-flag" });
      const element = el("div", { class: "caret" }, flag);
      caret = { element, flag, peer, timer: 0, top: Number.NaN, left: Number.NaN };
      this.carets.set(peer.session, caret);
      this.element.append(element);
      this.raiseFlag(caret);
    }
    const [before, after] = [caret.peer.state?.cursor, peer.state?.cursor];
    const moved = before?.index !== after?.index || before?.length !== after?.length;
    caret.peer = peer;
    caret.element.style.setProperty("--person", colorOf(peer.user));
    setText(caret.flag, peer.user.name);
    if (moved) this.raiseFlag(caret);
  }

  private raiseFlag(caret: Caret): void {
    clearTimeout(caret.timer);
    caret.element.classList.add("moving");
    caret.timer = window.setTimeout(() => caret.element.classList.remove("moving"), FLAG_STAYS);
  }

  placeSoon(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.place());
  }

  private place(): void {
    this.frame = 0;
    const last = Math.max(0, this.quill.getLength() - 1);
    const carets = [...this.carets.values()];
    const starts = placesOf(
      this.quill,
      carets.map((caret) => Math.min(startOf(caret), last)),
    );
    const ends = placesOf(
      this.quill,
      carets.map((caret) => Math.min(endOf(caret), last)),
    );
    const origin = this.element.getBoundingClientRect();
    const measured = ends.map((end) => end && measure(end, origin));
    carets.forEach((caret, at) => move(caret, measured[at]));
    for (const highlight of this.selections) highlight.clear();
    carets.forEach((caret, at) => {
      const range = startOf(caret) < endOf(caret) ? rangeBetween(starts[at], ends[at]) : undefined;
      if (range) this.selections[numberOf(caret.peer.user)]?.add(range);
    });
  }
}

function startOf({ peer }: Caret): number {
  return peer.state?.cursor?.index ?? 0;
}

function endOf(caret: Caret): number {
  return startOf(caret) + (caret.peer.state?.cursor?.length ?? 0);
}

interface Spot {
  left: number;
  top: number;
  height: number;
}

/** Where a caret is to be drawn. Out of sight its line will do: measuring text there would lay it out. */
function measure(place: Place, origin: DOMRect): Spot {
  const block = place.block.getBoundingClientRect();
  const away = block.bottom < -MARGIN || block.top > innerHeight + MARGIN;
  const { left, top, height } = away ? { left: block.left, top: block.top, height: 20 } : caretRect(place);
  return { left: left - origin.left, top: top - origin.top, height };
}

function move(caret: Caret, spot: Spot | undefined): void {
  caret.element.hidden = spot === undefined;
  if (!spot || (spot.top === caret.top && spot.left === caret.left)) return;
  // Only along its line does a caret glide: to another place it would cross text that it has nothing to do with.
  caret.element.classList.toggle("jump", spot.top !== caret.top);
  // A flag at the very top would be cut off by the edge of the sheet, so it hangs below the line there.
  caret.element.classList.toggle("low", spot.top < FLAG_HEIGHT);
  caret.top = spot.top;
  caret.left = spot.left;
  caret.element.style.transform = `translate(${spot.left}px, ${spot.top}px)`;
  caret.element.style.height = `${spot.height}px`;
}
