import type Delta from "quill-delta";
import type { Cursor, DeltaOp } from "../protocol.gen.js";
import { partLength } from "./parts.js";

/**
 * A cursor after an operation. Both ends move with the text; an insert exactly at one of them moves it only if it is the
 * cursor owner's own (docs/protocol.md section 4). The flag of `transformPosition` means "stays".
 */
export function moveCursor(cursor: Cursor, operation: Delta, own: boolean): Cursor {
  const index = operation.transformPosition(cursor.index, !own);
  const end = operation.transformPosition(cursor.index + cursor.length, !own);
  return { index, length: end - index };
}

/** Where a cursor was before an operation; inside of what the operation inserted, the place of the insert. */
export function cursorBefore(cursor: Cursor, operation: Delta): Cursor {
  const index = positionBefore(cursor.index, operation);
  return { index, length: positionBefore(cursor.index + cursor.length, operation) - index };
}

function positionBefore(position: number, operation: Delta): number {
  let before = 0;
  let after = 0;
  for (const part of operation.ops as DeltaOp[]) {
    const length = partLength(part);
    if (part.delete !== undefined) {
      before += length;
      continue;
    }
    if (position <= after + length) return part.insert === undefined ? before + position - after : before;
    after += length;
    if (part.insert === undefined) before += length;
  }
  return before + position - after;
}

/** A cursor that lies within a document of this length. */
export function clampCursor({ index, length }: Cursor, documentLength: number): Cursor {
  const start = Math.min(Math.max(index, 0), documentLength);
  return { index: start, length: Math.min(Math.max(length, 0), documentLength - start) };
}
