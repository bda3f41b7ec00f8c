import Delta from "quill-delta";
import { QuireError } from "../errors.js";
import type { DeltaOp, Limits } from "../protocol.gen.js";
import { ATTRIBUTES_PER_PART } from "./check.js";
import { normalise } from "./normal.js";
import { insidePair, partLength } from "./parts.js";
import { jsonBytes, jsonFits } from "./size.js";

/** What a piece of the buffer may hold. */
export interface PieceLimits {
  readonly ops: number;
  readonly bytes: number;
}

/** Half of what a frame may hold: rebasing makes operations grow, and the frame has fields of its own. */
export function pieceLimits(limits: Pick<Limits, "ops" | "frame_bytes">): PieceLimits {
  return { ops: Math.floor(limits.ops / 2) - 1, bytes: Math.floor(limits.frame_bytes / 2) - 1 };
}

/** Whether an operation can be sent as it is. Composing can also gather more attributes on a part than one may have. */
export function fits(operation: Delta, limits: PieceLimits): boolean {
  const parts = operation.ops as DeltaOp[];
  if (parts.length > limits.ops || !jsonFits(parts, limits.bytes)) return false;
  return parts.every(({ attributes }) => !attributes || Object.keys(attributes).length <= ATTRIBUTES_PER_PART);
}

/**
 * Cuts an operation in normal form into smaller ones that do the same when applied one after the other. Text is cut
 * between characters, never inside a surrogate pair.
 * @throws {QuireError} `indivisible` if an embed or the attributes of one part are too large by themselves.
 */
export function split(operation: Delta, limits: PieceLimits): Delta[] {
  if (fits(operation, limits)) return [operation];
  const pieces: Delta[] = [];
  let piece = new PieceBuilder(0);
  for (const part of (operation.ops as DeltaOp[]).flatMap((whole) => cutPart(whole, limits))) {
    if (!piece.hasRoomFor(part, limits)) {
      pieces.push(piece.finish());
      piece = new PieceBuilder(piece.reached);
    }
    piece.add(part);
  }
  return [...pieces, piece.finish()].filter(({ ops }) => ops.length > 0);
}

/**
 * As `split`, with everything that is deleted in the first pieces: between them the document is never larger than it was
 * before or will be in the end. In the other order a large text that replaces another would for a while stand beside it.
 */
export function splitDeletesFirst(operation: Delta, limits: PieceLimits): Delta[] {
  const deletes = new Delta();
  const inserts = new Delta();
  for (const part of operation.ops as DeltaOp[]) {
    if (part.insert !== undefined) inserts.push(part);
    else deletes.push(part);
    if (part.retain !== undefined) inserts.retain(part.retain);
  }
  return [deletes.chop(), inserts.chop()].filter(({ ops }) => ops.length > 0).flatMap((half) => split(half, limits));
}

/** One piece in the making. It begins with a retain over what the pieces before it have made. */
class PieceBuilder {
  private readonly parts: DeltaOp[];
  private bytes: number;
  private added = 0;
  /** Where the piece ends, in units of the document that it makes. */
  reached: number;

  constructor(start: number) {
    this.reached = start;
    this.parts = start > 0 ? [{ retain: start }] : [];
    this.bytes = jsonBytes(this.parts);
  }

  hasRoomFor(part: DeltaOp, limits: PieceLimits): boolean {
    if (this.added === 0) return true;
    return this.parts.length < limits.ops && this.bytes + 1 + jsonBytes(part) <= limits.bytes;
  }

  add(part: DeltaOp): void {
    this.parts.push(part);
    this.bytes += 1 + jsonBytes(part);
    this.added += 1;
    if (part.delete === undefined) this.reached += partLength(part);
  }

  finish(): Delta {
    return normalise(this.parts);
  }
}

/** Room for the brackets of the array and a leading retain of any length. */
const PIECE_OVERHEAD_BYTES = 40;

/** A part that is too large for a piece of its own, cut so that each is not. */
function cutPart(part: DeltaOp, limits: PieceLimits): DeltaOp[] {
  const room = limits.bytes - PIECE_OVERHEAD_BYTES;
  if (jsonFits(part, room)) return [part];
  const { insert, ...rest } = part;
  const empty = jsonBytes({ insert: "", ...rest });
  if (typeof insert !== "string" || empty + LONGEST_CHARACTER_BYTES > room) {
    throw new QuireError("indivisible", "an embed or the formatting in this edit is too large to be sent");
  }
  return cutText(insert, room - empty).map((text) => ({ insert: text, ...rest }));
}

/** In JSON a control character is `\u0001`, any other one takes at most four bytes. */
const LONGEST_CHARACTER_BYTES = 6;

function cutText(text: string, bytes: number): string[] {
  const pieces: string[] = [];
  for (let start = 0; start < text.length;) {
    const end = endOfPiece(text, start, bytes);
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}

/** The largest end such that `text.slice(start, end)` takes at most `bytes` in JSON, found by halving; not inside a pair. */
function endOfPiece(text: string, start: number, bytes: number): number {
  let fitting = start + 1;
  let tooLong = Math.min(text.length, start + bytes) + 1;
  while (tooLong - fitting > 1) {
    const middle = Math.floor((fitting + tooLong) / 2);
    if (jsonFits(text.slice(start, middle), bytes + 2 /* quotes */)) fitting = middle;
    else tooLong = middle;
  }
  if (!insidePair(text, fitting)) return fitting;
  return fitting - 1 > start ? fitting - 1 : fitting + 1;
}
