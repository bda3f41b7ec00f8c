import Delta, { AttributeMap, OpIterator } from "quill-delta";
import type { DeltaOp } from "../protocol.gen.js";
import type { Document } from "./document.js";
import { partLength, skip } from "./parts.js";

/** What undoes `operation` on a document; only what it touches is looked at. */
export function inverse(operation: Delta, document: Document): Delta {
  const { start, content, operation: shifted } = document.region(operation);
  return new Delta().retain(start).concat(invert(shifted, content)).chop();
}

/**
 * What undoes `operation` on `content`: `content.compose(operation).compose(invert(operation, content))` is `content`.
 *
 * Gives what `Delta.invert` of quill-delta gives, in one walk: that one starts at the beginning of the document for every
 * part, which makes formatting 10,000 runs take 10 s.
 */
export function invert(operation: Delta, content: Delta): Delta {
  const inverse = new Delta();
  const document = new OpIterator(content.ops);
  for (const part of operation.ops as DeltaOp[]) {
    if (part.insert !== undefined) {
      inverse.delete(partLength(part));
      continue;
    }
    const length = part.retain ?? part.delete ?? 0;
    if (part.retain !== undefined && !part.attributes) {
      skip(document, length);
      inverse.retain(length);
      continue;
    }
    for (let left = length; left > 0;) {
      const run = document.next(Math.min(left, document.peekLength())) as DeltaOp;
      left -= partLength(run);
      if (part.delete !== undefined) inverse.push(run);
      else inverse.retain(partLength(run), AttributeMap.invert(part.attributes, run.attributes));
    }
  }
  return inverse.chop();
}
