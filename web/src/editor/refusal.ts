/** What stands in the place of a document that cannot be opened. */
import { explain, restoreDocument, type RequestFailed } from "../api";
import { el, fill } from "../dom";
import { textButton } from "../ui/button";
import { showToast } from "../ui/toast";

/** Shows in `root` why the document `id` cannot be opened, and the way on. */
export function showRefusal(root: HTMLElement, id: string, error: RequestFailed): void {
  document.title = "No document · quire";
  const gone = error.status === 404;
  if (error.inTrash) {
    showTrashed(root, id);
    return;
  }
  fill(
    root,
    el(
      "main",
      { class: "refusal" },
      el("h1", {}, gone ? "There is no document here" : "This document cannot be opened"),
      el("p", {}, gone ? "It was deleted, or the address is not complete." : explain(error, "Nothing was changed.")),
      textButton({ label: "All documents", class: "primary", onClick: () => location.assign("/") }),
    ),
  );
}

/** Somebody threw the document away: whoever has its address may take it back. */
function showTrashed(root: HTMLElement, id: string): void {
  const restore = async () => {
    try {
      await restoreDocument(id);
      location.reload();
    } catch (error) {
      showToast({ text: explain(error, "The document is still in the trash."), fault: true });
    }
  };
  fill(
    root,
    el(
      "main",
      { class: "refusal" },
      el("h1", {}, "This document is in the trash"),
      el("p", {}, "It stays there, with all that was written in it, until it is restored or deleted for good."),
      textButton({ label: "Restore", class: "primary", onClick: () => void restore() }),
      el("a", { href: "/" }, "All documents"),
    ),
  );
}
