import Delta from "quill-delta";
import type { DeltaOp } from "../protocol.gen.js";

type Attributes = Record<string, unknown>;

/**
 * The normal form of docs/protocol.md section 1: no empty parts, no empty attributes, no attributes of deletes, no `null`
 * attributes of inserts, equal neighbours merged, an insert before a delete at the same place, no trailing plain retain.
 *
 * Everything is brought into it before it is composed or sent. The server commits the normal form, so a replica that kept
 * another one of the same edit would resolve ties differently: `d1 i"X"` against `r1 i"B"` gives "XB" there, "BX" here.
 *
 * The parts must have passed `checkForm`.
 */
export function normalise(parts: readonly DeltaOp[]): Delta {
  const delta = new Delta();
  for (const part of parts) {
    const tidy = tidyPart(part);
    // Delta.push merges neighbours and moves an insert before a delete.
    if (tidy) delta.push(tidy);
  }
  return delta.chop();
}

function tidyPart({ insert, retain, delete: deleted, attributes }: DeltaOp): DeltaOp | undefined {
  if (insert !== undefined) return insert === "" ? undefined : withAttributes({ insert }, attributes, false);
  if (retain !== undefined) return retain === 0 ? undefined : withAttributes({ retain }, attributes, true);
  return deleted ? { delete: deleted } : undefined;
}

function withAttributes(part: DeltaOp, attributes: Attributes | null | undefined, keepNull: boolean): DeltaOp {
  const kept = Object.entries(attributes ?? {}).filter(
    ([, value]) => value !== undefined && (keepNull || value !== null),
  );
  return kept.length === 0 ? part : { ...part, attributes: Object.fromEntries(kept) };
}
