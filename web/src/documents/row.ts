/** One document in the list: a link with its title and first line, who is there, when, and what can be done. */
import type { DocumentEntry } from "../api";
import { el, fill, setText } from "../dom";
import { badges } from "../people";
import { ago, exactly } from "../time";
import { iconButton } from "../ui/button";
import { attachMenu } from "../ui/menu";
import { UNTITLED, editorPath, titleOf } from "./entry";

export const TITLE_LENGTH = 200;

export interface RowActions {
  rename: (entry: DocumentEntry, title: string) => void;
  trash: (entry: DocumentEntry) => void;
}

export class Row {
  readonly element = el("li", { class: "row" });
  private readonly title = el("span", { class: "row-title" });
  private readonly preview = el("span", { class: "row-preview" });
  private readonly people = el("span", { class: "row-people" });
  private readonly time = el("time", { class: "row-time" });
  private readonly link = el(
    "a",
    { class: "row-link" },
    el("span", { class: "row-text" }, this.title, this.preview),
    this.people,
    this.time,
  );
  private readonly more = iconButton({ icon: "more", label: "Actions", onClick: () => undefined });

  constructor(
    private entry: DocumentEntry,
    private readonly actions: RowActions,
  ) {
    this.element.append(this.link, this.more);
    attachMenu(this.more, "Actions", () => [
      { label: "Rename", icon: "rename", keys: "F2", run: () => this.rename() },
      {
        label: "Move to trash",
        icon: "trash",
        keys: "Delete",
        danger: true,
        run: () => this.actions.trash(this.entry),
      },
    ]);
    this.link.addEventListener("keydown", (event) => {
      if (event.key !== "F2" && event.key !== "Delete") return;
      event.preventDefault();
      // A key that is held down would throw away one neighbour after the other.
      if (event.repeat) return;
      if (event.key === "F2") this.rename();
      else this.actions.trash(this.entry);
    });
    this.update(entry);
  }

  /** Shows a newer state of the document; what is the same is not touched. */
  update(entry: DocumentEntry): void {
    this.entry = entry;
    const title = titleOf(entry);
    setText(this.title, title);
    setText(this.preview, previewOf(entry));
    this.link.setAttribute("href", editorPath(entry.id));
    this.more.setAttribute("aria-label", `Actions for ${title}`);
    this.time.dateTime = new Date(entry.updated_at).toISOString();
    this.time.title = `Changed ${exactly(entry.updated_at)}`;
    const people = entry.people ?? [];
    fill(this.people, ...badges(people, 3));
    this.tick();
  }

  /** Renews the words of the time. */
  tick(): void {
    setText(this.time, ago(this.entry.updated_at));
  }

  focus(): void {
    this.link.focus();
  }

  /** Puts a field in the place of the title. Enter or leaving it keeps the new title, Esc the old one. */
  rename(): void {
    const field = el("input", {
      class: "row-rename",
      value: this.entry.title,
      placeholder: UNTITLED,
      maxlength: TITLE_LENGTH,
      "aria-label": `New title of ${titleOf(this.entry)}`,
    });
    let finished = false;
    const finish = (keep: boolean, refocus: boolean) => {
      // Taking the field out of the page makes it lose the focus, which would end the renaming a second time.
      if (finished) return;
      finished = true;
      const title = field.value.trim();
      field.replaceWith(this.link);
      if (refocus) this.link.focus();
      if (keep && title !== this.entry.title) this.actions.rename(this.entry, title);
    };
    field.addEventListener("keydown", (event) => {
      if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
      event.preventDefault();
      finish(event.key === "Enter", true);
    });
    field.addEventListener("blur", () => finish(true, false));
    this.link.replaceWith(field);
    field.focus();
    field.select();
  }
}

function previewOf({ preview = "" }: DocumentEntry): string {
  return preview.trim() || "No text yet";
}
