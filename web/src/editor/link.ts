/** Links: asked for in a dialog, opened with Ctrl/⌘ and a click. */
import type Quill from "quill/core.js";
import { askText } from "../ui/dialog";

/** Longest address that is taken; browsers and servers stop not far above it. */
const LONGEST = 2000;

/** Asks for the address of the selected text, or of the link that the caret is in. An empty answer removes it. */
export async function askLink(quill: Quill): Promise<void> {
  const range = quill.getSelection(true);
  const now = quill.getFormat(range).link;
  const current = typeof now === "string" ? now : "";
  const answer = await askText({
    title: "Link",
    label: "Address",
    value: current,
    hint: current ? "Leave it empty to remove the link." : "For example example.org/page",
    action: "Save",
    maxLength: LONGEST,
    type: "url",
  });
  if (answer === undefined || answer === current) {
    quill.focus();
    return;
  }
  const link = answer === "" ? false : withScheme(answer);
  quill.setSelection(range, "silent");
  if (range.length > 0) quill.format("link", link, "user");
  else if (current) formatWholeLink(quill, range.index, link);
  else if (link) quill.insertText(range.index, answer, { link }, "user");
  quill.focus();
}

/** "example.org" as people write it means https; an address with a scheme is left alone. */
export function withScheme(address: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(address) && !/^[^/]+:\d/.test(address)) return address;
  return address.includes("@") && !address.includes("/") ? `mailto:${address}` : `https://${address}`;
}

function formatWholeLink(quill: Quill, index: number, link: string | false): void {
  const [leaf] = quill.getLeaf(index);
  if (leaf) quill.formatText(quill.getIndex(leaf), leaf.length(), "link", link, "user");
}

/** Opens links of the sheet with Ctrl or ⌘: a plain click puts the caret there. */
export function openLinksOnClick(quill: Quill): void {
  quill.root.addEventListener("click", (event) => {
    const anchor = event.target instanceof Element ? event.target.closest("a") : null;
    if (!anchor || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    window.open(anchor.href, "_blank", "noopener");
  });
}
