/** From positions in the document to places in the page. */
import type Quill from "quill/core.js";
import type { Blot, ParentBlot } from "parchment";

/** Where a position is: the line's element, and a node and an offset in it. */
export interface Place {
  /** The child of the sheet that holds it: a line, or a whole list. */
  block: HTMLElement;
  node: Node;
  offset: number;
}

/** Finds many positions in one walk over the lines. The answer has the order of `indexes`. */
export function placesOf(quill: Quill, indexes: number[]): (Place | undefined)[] {
  const places = new Array<Place | undefined>(indexes.length);
  const order = indexes.map((_, at) => at).sort((a, b) => (indexes[a] ?? 0) - (indexes[b] ?? 0));
  let block = quill.scroll.children.head;
  let start = 0;
  for (const at of order) {
    const index = indexes[at] ?? 0;
    while (block && index >= start + block.length()) {
      start += block.length();
      block = block.next;
    }
    if (!block) break;
    places[at] = placeIn(block, index - start);
  }
  return places;
}

function placeIn(block: Blot, index: number): Place | undefined {
  const path = "path" in block ? (block as ParentBlot).path(index).at(-1) : ([block, index] as const);
  if (!path || !("position" in path[0])) return undefined;
  const [leaf, within] = path as unknown as [{ position(index: number, inclusive?: boolean): [Node, number] }, number];
  const [node, offset] = leaf.position(within, true);
  return { block: block.domNode as HTMLElement, node, offset };
}

/** The stretch between two places. */
export function rangeBetween(start: Place | undefined, end: Place | undefined): StaticRange | undefined {
  if (!start || !end) return undefined;
  return new StaticRange({
    startContainer: start.node,
    startOffset: start.offset,
    endContainer: end.node,
    endOffset: end.offset,
  });
}

/** The rectangle of a caret at `place`, without width, in coordinates of the window. */
export function caretRect({ node, offset }: Place): { left: number; top: number; height: number } {
  if (!(node instanceof Text) || node.length === 0) {
    // An empty line holds a <br>; an embed is an element: the caret is before or behind it.
    const element = node instanceof Element ? node : node.parentElement;
    const rect = (element ?? document.body).getBoundingClientRect();
    return { left: offset > 0 ? rect.right : rect.left, top: rect.top, height: rect.height };
  }
  // A range without length has no rectangle at the end of a line that was wrapped, so a character is measured.
  const range = document.createRange();
  const after = offset < node.length;
  range.setStart(node, after ? offset : offset - 1);
  range.setEnd(node, after ? offset + 1 : offset);
  const rect = range.getBoundingClientRect();
  return { left: after ? rect.left : rect.right, top: rect.top, height: rect.height };
}
