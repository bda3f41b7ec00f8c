import Delta from "quill-delta";
import type { DeltaOp, Edit } from "../../src/protocol.gen.js";

/** The server's own idea of the algebra, straight from quill-delta, so that it does not inherit a fault of the client. */
export function canonical(parts: readonly DeltaOp[]): Delta {
  const delta = new Delta();
  for (const part of parts) {
    if (part.insert !== undefined) {
      const attributes = Object.entries(part.attributes ?? {}).filter(([, value]) => value !== null);
      delta.insert(part.insert, Object.fromEntries(attributes));
    } else if (part.retain !== undefined) delta.retain(part.retain, part.attributes);
    else delta.delete(part.delete ?? 0);
  }
  return delta.chop();
}

export function edit(short: Edit): DeltaOp[] {
  const start = short.pos > 0 ? [{ retain: short.pos }] : [];
  switch (short.type) {
    case "insert":
      return [...start, { insert: short.text, ...(short.attributes && { attributes: short.attributes }) }];
    case "delete":
      return [...start, { delete: short.len }];
    case "format":
      return [...start, { retain: short.len, attributes: short.attributes }];
  }
}

/** Whether an operation speaks only of what the document has, and cuts no surrogate pair. */
export function fitsDocument(operation: Delta, document: Delta): boolean {
  const after = document.compose(operation);
  const inserts = after.ops.every(({ insert }) => insert !== undefined);
  return inserts && after.ops.every(({ insert }) => typeof insert !== "string" || !/\p{Surrogate}/u.test(insert));
}

export function plainText(document: Delta): string {
  return document.ops.map(({ insert }) => (typeof insert === "string" ? insert : "\uFFFC")).join("");
}
