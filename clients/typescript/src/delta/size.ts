import type { DeltaOp } from "../protocol.gen.js";

/** No UTF-16 code unit takes more bytes in UTF-8. */
const BYTES_PER_UNIT = 3;

const utf8 = new TextEncoder();

/** Bytes of a JSON value on the wire. */
export function jsonBytes(value: unknown): number {
  return utf8.encode(JSON.stringify(value)).length;
}

/** Whether a JSON value takes at most `limit` bytes; most answers need no encoding. */
export function jsonFits(value: unknown, limit: number): boolean {
  const json = JSON.stringify(value);
  if (json.length * BYTES_PER_UNIT <= limit) return true;
  return json.length <= limit && utf8.encode(json).length <= limit;
}

/** UTF-8 bytes of the text of a delta: less than what the server counts, which adds attributes and embeds. */
export function textBytes(parts: readonly DeltaOp[]): number {
  return parts.reduce((sum, { insert }) => sum + (typeof insert === "string" ? utf8.encode(insert).length : 0), 0);
}
