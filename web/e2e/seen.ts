/** Reads the sheet as a person sees it, into the form that the server has its documents in. */
import type { Page } from "@playwright/test";
import type { DeltaOp } from "./server";

/** The content of the sheet, from the elements on the page. Neighbours with the same attributes are one. */
export async function seenContent(page: Page): Promise<DeltaOp[]> {
  return merge(await page.locator(".ql-editor").evaluate(readSheet));
}

/** Joins neighbouring texts that have the same attributes. */
export function merge(ops: DeltaOp[]): DeltaOp[] {
  const merged: DeltaOp[] = [];
  for (const op of ops) {
    const last = merged.at(-1);
    const same = JSON.stringify(sorted(last?.attributes)) === JSON.stringify(sorted(op.attributes));
    if (last && same && typeof last.insert === "string" && typeof op.insert === "string") last.insert += op.insert;
    else
      merged.push({
        insert: op.insert,
        ...(Object.keys(op.attributes ?? {}).length > 0 && { attributes: sorted(op.attributes) }),
      });
  }
  return merged;
}

function sorted(attributes: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => a.localeCompare(b)));
}

/** Runs in the page, so it stands by itself. */
function readSheet(sheet: Element): DeltaOp[] {
  const inline: Record<string, string> = { STRONG: "bold", EM: "italic", U: "underline", S: "strike", CODE: "code" };
  const ops: DeltaOp[] = [];
  const readInline = (node: Node, attributes: Record<string, unknown>): void => {
    if (node.nodeType === Node.TEXT_NODE) {
      // U+FEFF only marks where the caret stands.
      const text = (node.textContent ?? "").replaceAll("\ufeff", "");
      if (text) ops.push({ insert: text, attributes });
      return;
    }
    if (!(node instanceof HTMLElement) || node.classList.contains("ql-ui") || node.tagName === "BR") return;
    const format = inline[node.tagName];
    const link = node instanceof HTMLAnchorElement ? { link: node.getAttribute("href") } : {};
    for (const child of node.childNodes)
      readInline(child, { ...attributes, ...link, ...(format && { [format]: true }) });
  };
  const readLine = (line: Element, attributes: Record<string, unknown>): void => {
    for (const child of line.childNodes) readInline(child, {});
    ops.push({ insert: "\n", attributes });
  };
  for (const block of sheet.children) {
    if (block.tagName === "OL" || block.tagName === "UL") {
      for (const item of block.children) readLine(item, { list: item.getAttribute("data-list") });
    } else if (block.classList.contains("ql-code-block-container")) {
      for (const line of block.children)
        readLine(line, { "code-block": line.getAttribute("data-language") ?? "plain" });
    } else if (/^H\d$/.test(block.tagName)) readLine(block, { header: Number(block.tagName[1]) });
    else readLine(block, block.tagName === "BLOCKQUOTE" ? { blockquote: true } : {});
  }
  return ops;
}
