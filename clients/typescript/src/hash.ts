import type Delta from "quill-delta";
import { insertedText } from "./delta/parts.js";
import type { DeltaOp } from "./protocol.gen.js";

/** Computes the digest of a text; undefined where it cannot be had. */
export type TextHash = (text: string) => Promise<string | undefined>;

/**
 * xxh3-64, seed 0, of a text in UTF-8, as 16 lower-case hex digits. The library (WebAssembly, 18 KB) is loaded at the first
 * use. A page whose content policy forbids WebAssembly does not compare; it needs `script-src 'wasm-unsafe-eval'`.
 */
export const textHash: TextHash = async (text) => {
  try {
    const { xxhash3 } = await import("hash-wasm");
    return await xxhash3(text);
  } catch {
    return undefined;
  }
};

/** The plain text that the hash is made of: an embed counts as U+FFFC. */
export function hashedText(content: Delta): string {
  return insertedText(content.ops as DeltaOp[]);
}
