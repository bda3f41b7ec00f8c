import { AttributeMap } from "quill-delta";
import type { DeltaOp } from "../protocol.gen.js";

/** Whether two lists of parts are equal as JSON: keys in any order, numbers as numbers. */
export function sameParts(a: readonly DeltaOp[], b: readonly DeltaOp[]): boolean {
  // quill-delta compares attribute values deeply, with the equality that decides whether runs merge.
  return AttributeMap.diff({ parts: a }, { parts: b }) === undefined;
}
