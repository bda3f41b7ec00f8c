/** The sheet: Quill, with the keys and limits of this page. */
import type Keyboard from "quill/modules/keyboard.js";
import type { Context } from "quill/modules/keyboard.js";
import type { Range } from "quill/core.js";
import Quill from "./formats";
import { IMAGE_TYPES, insertImages } from "./images";
import { openLinksOnClick } from "./link";
import { speedUp } from "./long-documents";

type Binding = Exclude<Parameters<Keyboard["addBinding"]>[0], string | number>;

/** Makes the editor in `element`. It is closed until the document is there. */
export function createSheet(element: HTMLElement): Quill {
  const quill = new Quill(element, {
    readOnly: true,
    placeholder: "Start writing. Others see it as you type.",
    modules: {
      // Undo is the session's: only own edits, whatever others did since.
      history: { maxStack: 0, userOnly: true },
      keyboard: { bindings: bindings() },
      uploader: { mimetypes: IMAGE_TYPES, handler: insertImages },
    },
  });
  quill.root.setAttribute("aria-label", "Text of the document");
  quill.root.setAttribute("aria-multiline", "true");
  quill.root.setAttribute("role", "textbox");
  quill.root.setAttribute("aria-describedby", "sheet-help");
  speedUp(quill);
  pasteWithoutLook(quill);
  openLinksOnClick(quill);
  letTabLeave(quill);
  return quill;
}

/** Markdown's signs at the start of a line, followed by a blank, become formats. Lists are Quill's own binding. */
function bindings(): Record<string, Binding> {
  return {
    heading: atLineStart(/^#{1,3}$/, (quill, context) => {
      quill.format("header", context.prefix.length, "user");
    }),
    quote: atLineStart(/^>$/, (quill) => {
      quill.format("blockquote", true, "user");
    }),
  };
}

function atLineStart(prefix: RegExp, format: (quill: Quill, context: Context) => void): Binding {
  return {
    key: " ",
    shiftKey: null,
    collapsed: true,
    format: { "code-block": false },
    prefix,
    handler(this: { quill: Quill }, range: Range, context: Context) {
      const length = context.prefix.length;
      if (context.offset !== length) return true;
      this.quill.deleteText(range.index - length, length, "user");
      format(this.quill, context);
      return false;
    },
  };
}

/** Colours and fonts of other pages do not come along with their text: it would stand black on a dark sheet. */
function pasteWithoutLook(quill: Quill): void {
  quill.clipboard.addMatcher(Node.ELEMENT_NODE, (_node, delta) => {
    for (const op of delta.ops) {
      if (!op.attributes) continue;
      for (const name of ["color", "background", "font", "size"]) Reflect.deleteProperty(op.attributes, name);
    }
    return delta;
  });
}

/** Tab writes a tab or indents, so there has to be a way out by keyboard: Esc, and then Tab moves on. */
function letTabLeave(quill: Quill): void {
  let leaving = false;
  quill.root.addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Tab" && leaving) event.stopImmediatePropagation();
      if (event.key !== "Shift") leaving = event.key === "Escape";
    },
    { capture: true },
  );
  quill.root.addEventListener("blur", () => (leaving = false));
}
