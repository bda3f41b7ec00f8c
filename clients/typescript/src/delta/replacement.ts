import Delta from "quill-delta";
import type { DeltaOp } from "../protocol.gen.js";
import { sameParts } from "./equal.js";
import { insidePair, partLength } from "./parts.js";

/**
 * Turns one document into another: everything between their common beginning and their common end is replaced. Unlike
 * `Delta.diff` it takes linear time and cuts no surrogate pair; what it replaces is one stretch, not the least possible.
 */
export function replacement(before: Delta, after: Delta): Delta {
  const start = commonLength(before, after, "start");
  const [oldRest, newRest] = [before.slice(start), after.slice(start)];
  const end = commonLength(oldRest, newRest, "end");
  const change = new Delta().retain(start);
  newRest.slice(0, newRest.length() - end).forEach((part) => change.push(part));
  return change.delete(oldRest.length() - end).chop();
}

type Side = "start" | "end";

/** How many units two documents have in common from one side. */
function commonLength(a: Delta, b: Delta, side: Side): number {
  const [left, right] = [new Walker(a.ops as DeltaOp[], side), new Walker(b.ops as DeltaOp[], side)];
  let common = 0;
  for (;;) {
    const length = Math.min(left.left, right.left);
    const shared = length === 0 ? 0 : sharedLength(left, right, length);
    common += shared;
    if (length === 0 || shared < length) return common;
    left.move(length);
    right.move(length);
  }
}

/** How many of the next `length` units of two runs agree, without cutting a pair. */
function sharedLength(a: Walker, b: Walker, length: number): number {
  const [one, other] = [a.part, b.part];
  if (typeof one.insert !== "string" || typeof other.insert !== "string") return sameParts([one], [other]) ? length : 0;
  if (!sameParts([{ ...one, insert: "" }], [{ ...other, insert: "" }])) return 0;
  let shared = 0;
  while (shared < length && one.insert[a.unit(shared)] === other.insert[b.unit(shared)]) shared += 1;
  const cut = a.side === "start" ? a.unit(shared) : a.unit(shared) + 1;
  return shared < length && insidePair(one.insert, cut) ? shared - 1 : shared;
}

/** Walks the runs of a document from one of its ends. */
class Walker {
  private index: number;
  private used = 0;

  constructor(
    private readonly parts: readonly DeltaOp[],
    readonly side: Side,
  ) {
    this.index = side === "start" ? 0 : parts.length - 1;
  }

  get part(): DeltaOp {
    return this.parts[this.index] ?? {};
  }

  /** Units left in the current run; 0 at the end of the walk. */
  get left(): number {
    return this.index in this.parts ? partLength(this.part) - this.used : 0;
  }

  /** Place in the run's text of the unit that comes after `ahead` more. */
  unit(ahead: number): number {
    return this.side === "start" ? this.used + ahead : partLength(this.part) - 1 - this.used - ahead;
  }

  move(length: number): void {
    this.used += length;
    if (this.left > 0) return;
    this.index += this.side === "start" ? 1 : -1;
    this.used = 0;
  }
}
