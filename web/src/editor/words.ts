/** How much there is. */
import type Delta from "quill-delta";

/** Words of a document, as a person counts them. */
export function countWords(content: Delta): number {
  let words = 0;
  let open = false;
  for (const { insert } of content.ops) {
    if (typeof insert !== "string") {
      open = false;
      continue;
    }
    const parts = insert.split(/\s+/);
    // A word may go on from one format into the next: "wo" + "rd" is one.
    words += parts.filter(Boolean).length - (open && parts[0] !== "" ? 1 : 0);
    open = parts.at(-1) !== "";
  }
  return words;
}
