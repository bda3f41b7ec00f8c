/** The trash: documents that were thrown away, each with a way back. */
import { explain, listDocuments, restoreDocument, type DocumentEntry } from "../api";
import { el, fill } from "../dom";
import { ago, exactly } from "../time";
import { textButton } from "../ui/button";
import { dialogHead, openDialog } from "../ui/dialog";
import { showToast } from "../ui/toast";
import { titleOf } from "./entry";

/** What is shown at most; the search of the list does not look in here. */
const MOST = 200;

const KEPT = "Documents stay here, with all that was written in them, until they are restored or deleted for good.";

/** Opens the trash. `onRestored` runs after each document that came back. */
export async function openTrash(onRestored: () => void): Promise<void> {
  const list = el("ul", { class: "trash-list" });
  const note = el("p", { class: "hint" }, "Looking into the trash…");
  openDialog({ label: "Trash", class: "trash" }, dialogHead("Trash"), el("div", { class: "dialog-body" }, note, list));
  try {
    const { docs } = await listDocuments({ trashed: true, limit: MOST });
    note.textContent = docs.length > 0 ? KEPT : "The trash is empty.";
    fill(list, ...docs.map((entry) => drawEntry(entry, onRestored)));
  } catch (error) {
    note.textContent = explain(error, "The trash could not be listed.");
  }
}

function drawEntry(entry: DocumentEntry, onRestored: () => void): HTMLElement {
  const restore = async () => {
    try {
      await restoreDocument(entry.id);
      item.remove();
      showToast({ text: `“${titleOf(entry)}” is back.` });
      onRestored();
    } catch (error) {
      showToast({ text: explain(error, `“${titleOf(entry)}” is still in the trash.`), fault: true });
    }
  };
  const at = entry.deleted_at;
  const item = el(
    "li",
    {},
    el(
      "span",
      { class: "row-text" },
      el("span", { class: "row-title" }, titleOf(entry)),
      el("span", { class: "row-preview" }, entry.preview),
    ),
    at !== undefined && el("time", { class: "row-time", title: exactly(at) }, ago(at)),
    textButton({ label: "Restore", onClick: () => void restore() }),
  );
  return item;
}
