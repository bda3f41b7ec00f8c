/** The head of pages that have nothing of their own in it: the mark, and the way to the documents. */
import { el, type Child } from "../dom";
import { mark } from "./mark";

export function pageBar(...end: Child[]): HTMLElement {
  return el(
    "header",
    { class: "page-bar" },
    el("a", { class: "wordmark", href: "/", "aria-label": "quire, documents" }, mark(), el("span", {}, "quire")),
    el("div", { class: "bar-end" }, ...end),
  );
}
