/** What came together after a time without connection: how many own edits, and where others wrote meanwhile. */
import type { ChangeEvent, ConnectionStatus } from "@quire/client";
import type Delta from "quill-delta";
import type Quill from "quill/core.js";
import { placesOf, rangeBetween } from "./range";

/** A stretch of the document, in UTF-16 code units. */
export interface Stretch {
  index: number;
  length: number;
}

/** More stretches than these are not a thing that somebody looks through. */
const MOST = 500;

export class Merged {
  /** Own edits made without a connection that the server has taken since. */
  count = 0;
  private away = false;
  private waiting = 0;
  private stretches: Stretch[] = [];

  /** To be told of each new status, with the number of own edits that wait at that moment. */
  onConnection(status: ConnectionStatus, pending: number): void {
    const gone = status.state === "reconnecting" || status.state === "offline";
    if (gone && !this.away) this.clear();
    if (this.away && status.state === "connected") this.waiting = pending;
    this.away = gone;
  }

  /** To be told whenever edits have been made or saved. */
  onSaved(saved: boolean, pending: number): void {
    if (this.away) this.waiting = Math.max(this.waiting, pending);
    else if (saved && this.waiting > 0) {
      this.count = this.waiting;
      this.waiting = 0;
    }
  }

  /** Follows what others changed from the loss on until all is merged, and moves it with later edits. */
  onChange({ delta, source }: ChangeEvent): void {
    this.stretches = this.stretches.map((stretch) => moved(stretch, delta)).filter(({ length }) => length > 0);
    const remembers = this.away || this.waiting > 0;
    if (source === "remote" && remembers && this.stretches.length < MOST) this.stretches.push(...inserted(delta));
  }

  /** Something was not taken: what became of it is told elsewhere, and how much of the rest was merged is not known. */
  onLost(): void {
    this.count = 0;
    this.waiting = 0;
  }

  clear(): void {
    this.count = 0;
    this.waiting = 0;
    this.stretches = [];
  }

  /** Goes to the first place where others wrote and marks all of them until the next press of a key or button. */
  show(quill: Quill): void {
    const starts = placesOf(
      quill,
      this.stretches.map(({ index }) => index),
    );
    const ends = placesOf(
      quill,
      this.stretches.map(({ index, length }) => index + length),
    );
    const ranges = starts.flatMap((start, at) => rangeBetween(start, ends[at]) ?? []);
    const first = ranges[0]?.startContainer;
    const element = first instanceof Element ? first : first?.parentElement;
    element?.scrollIntoView({ block: "center" });
    if (!("highlights" in CSS)) return;
    CSS.highlights.set("merged", new Highlight(...ranges));
    const unmark = () => CSS.highlights.delete("merged");
    setTimeout(() => {
      document.addEventListener("keydown", unmark, { once: true });
      document.addEventListener("pointerdown", unmark, { once: true });
    });
  }
}

/** Where `delta` inserts, in the document after it. */
export function inserted(delta: Delta): Stretch[] {
  const found: Stretch[] = [];
  let index = 0;
  for (const op of delta.ops) {
    const length = typeof op.insert === "string" ? op.insert.length : op.insert ? 1 : 0;
    if (length > 0) found.push({ index, length });
    index += length + (typeof op.retain === "number" ? op.retain : 0);
  }
  return found;
}

function moved({ index, length }: Stretch, delta: Delta): Stretch {
  const start = delta.transformPosition(index);
  return { index: start, length: delta.transformPosition(index + length, true) - start };
}
