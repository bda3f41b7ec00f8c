import Delta from "quill-delta";
import type Quill from "quill";
import { EMBED_CHARACTER } from "../delta/parts.js";
import type { DeltaOp } from "../protocol.gen.js";

/** Quill turns "\r\n" into one character and "\r" into a line break; what stands for it here changes no position. */
const CARRIAGE_RETURN = /\r/g;
const SHOWN_RETURN = "\u200B";

/**
 * A document or a change as Quill can show it, every unit in its place: embeds that this editor has no format for become
 * U+FFFC, and carriage returns a zero-width space. What is shown is never sent back, only what the user does to it.
 */
export function forQuill(delta: Delta, quill: Quill): Delta {
  const shown = new Delta();
  for (const part of delta.ops as DeltaOp[]) shown.push(shownPart(part, quill));
  return shown;
}

function shownPart(part: DeltaOp, quill: Quill): DeltaOp {
  const { insert } = part;
  if (insert === undefined) return part;
  if (typeof insert === "string") return { ...part, insert: insert.replace(CARRIAGE_RETURN, SHOWN_RETURN) };
  const [kind = ""] = Object.keys(insert);
  return quill.scroll.query(kind) === null ? { ...part, insert: EMBED_CHARACTER } : part;
}

/** Parchment's bit for everything that is a line of its own (`Scope.BLOCK` without what it shares with inline formats). */
const BLOCK_LEVEL = 0b1000;

/**
 * The same document with every embed that Quill would put on a line of its own, and that does not begin one, as U+FFFC.
 * Two edits at a time can leave it there, though Quill itself never does; it would add a line break that nobody else has.
 */
export function withoutStrayBlocks(document: Delta, quill: Quill): Delta {
  const shown = new Delta();
  let atLineStart = true;
  for (const part of document.ops as DeltaOp[]) {
    const block = typeof part.insert === "object" && isBlock(part.insert, quill);
    shown.push(block && !atLineStart ? { ...part, insert: EMBED_CHARACTER } : part);
    atLineStart = (block && atLineStart) || (typeof part.insert === "string" && part.insert.endsWith("\n"));
  }
  return shown;
}

function isBlock(embed: Record<string, unknown>, quill: Quill): boolean {
  const [kind = ""] = Object.keys(embed);
  const format = quill.scroll.query(kind);
  return format !== null && "scope" in format && ((format.scope as number) & BLOCK_LEVEL) !== 0;
}

/** Quill cannot be without a line break at the end. */
export function endsWithNewline(content: Delta): boolean {
  const last = (content.ops as DeltaOp[]).at(-1)?.insert;
  return typeof last === "string" && last.endsWith("\n");
}

/** The document with the line break that Quill adds where it has none. */
export function withNewline(content: Delta): Delta {
  return endsWithNewline(content) ? content : content.concat(new Delta().insert("\n"));
}
