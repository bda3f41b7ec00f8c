import { Op, type OpIterator } from "quill-delta";
import type { DeltaOp } from "../protocol.gen.js";

/** An embed stands for one character; this is what plain text has in its place. */
export const EMBED_CHARACTER = "\uFFFC";

/** Length of a part in UTF-16 code units; an embed has 1. */
export function partLength(part: DeltaOp): number {
  return Op.length(part);
}

/** How many units of the document before it an operation speaks of. */
export function baseLength(parts: readonly DeltaOp[]): number {
  return parts.reduce((sum, part) => sum + (part.retain ?? part.delete ?? 0), 0);
}

/** By how many units an operation makes a document longer. */
export function growth(parts: readonly DeltaOp[]): number {
  return parts.reduce((sum, part) => sum + (part.insert === undefined ? -(part.delete ?? 0) : partLength(part)), 0);
}

/** The text that the inserts of a delta add, embeds as U+FFFC. Of a document: its plain text. */
export function insertedText(parts: readonly DeltaOp[]): string {
  return parts.map(({ insert }) => (typeof insert === "object" ? EMBED_CHARACTER : (insert ?? ""))).join("");
}

/** Moves `length` units on in a document that has them. */
export function skip(document: OpIterator, length: number): void {
  for (let left = length; left > 0;) {
    const step = Math.min(left, document.peekLength());
    document.next(step);
    left -= step;
  }
}

/** True between the two halves of a surrogate pair. */
export function insidePair(text: string, offset: number): boolean {
  if (offset <= 0 || offset >= text.length) return false;
  return isHighSurrogate(text.charCodeAt(offset - 1)) && isLowSurrogate(text.charCodeAt(offset));
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
