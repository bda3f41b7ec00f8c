/** The palette, on Ctrl/⌘ K: documents by title or text, and everything that the page can do. */
import { listDocuments, type DocumentEntry } from "../api";
import { el, fill } from "../dom";
import { editorPath, titleOf } from "../documents/entry";
import type { CommandGroup } from "./commands";
import { openDialog, type Dialog } from "./dialog";
import { icon, type IconName } from "./icons";
import { keyText } from "./keys";

interface Choice {
  label: string;
  detail?: string;
  icon: IconName;
  keys?: string;
  run: () => void;
}

/** Documents shown at most; a longer list is what the documents page is for. */
const DOCUMENTS = 6;

export function openPalette(groups: CommandGroup[]): void {
  if (document.querySelector(".palette")) return;
  new Palette(groups);
}

class Palette {
  private readonly input = el("input", {
    class: "palette-input",
    type: "text",
    role: "combobox",
    placeholder: "Find a document or a command",
    "aria-label": "Find a document or a command",
    "aria-controls": "palette-list",
    "aria-expanded": "true",
    "aria-autocomplete": "list",
    autocomplete: "off",
    spellcheck: "false",
    autofocus: true,
  });
  private readonly list = el("div", {
    id: "palette-list",
    class: "palette-list",
    role: "listbox",
    "aria-label": "Results",
  });
  private readonly dialog: Dialog;
  private documents: DocumentEntry[] = [];
  private choices: Choice[] = [];
  private chosen = 0;
  private asking = new AbortController();

  constructor(private readonly groups: CommandGroup[]) {
    this.dialog = openDialog(
      { label: "Find a document or a command", class: "palette", onClose: () => this.asking.abort() },
      el("div", { class: "palette-head" }, icon("search"), this.input),
      this.list,
    );
    this.input.addEventListener("input", () => this.search());
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.search();
  }

  /** Commands answer at once; documents come when the server has them. A newer search ends an older one. */
  private search(): void {
    this.asking.abort();
    this.asking = new AbortController();
    this.chosen = 0;
    this.draw();
    listDocuments({ query: this.input.value.trim(), limit: DOCUMENTS }, this.asking.signal)
      .then((found) => {
        this.documents = found.docs;
        this.draw();
      })
      .catch(() => {
        // Superseded, or offline: the commands stay usable, and the state line says how things are.
      });
  }

  private draw(): void {
    const words = this.input.value.trim().toLowerCase();
    const documents = this.documents.filter(
      (entry) =>
        // The one that is open is no place to go to.
        editorPath(entry.id) !== location.pathname &&
        `${entry.title} ${entry.preview ?? ""}`.toLowerCase().includes(words),
    );
    const sections: [string, Choice[]][] = [
      ["Documents", documents.map(documentChoice)],
      ...this.groups.map((group): [string, Choice[]] => [
        group.title,
        group.commands.filter((command) => !command.hidden && command.label.toLowerCase().includes(words)),
      ]),
    ];
    // With nothing typed it is a way to a document or an action, not a list of every format there is.
    const shown = sections.filter(([title, choices]) => choices.length > 0 && (words || title !== "Format"));
    this.choices = shown.flatMap(([, choices]) => choices);
    let index = 0;
    fill(
      this.list,
      ...shown.map(([title, choices], group) =>
        el(
          "div",
          { role: "group", "aria-labelledby": `palette-group-${group}` },
          el("div", { class: "palette-heading", id: `palette-group-${group}` }, title),
          ...choices.map((choice) => this.drawChoice(choice, index++)),
        ),
      ),
      this.choices.length === 0 &&
        el("p", { class: "palette-empty" }, `Nothing here is called “${this.input.value.trim()}”.`),
    );
    this.mark();
  }

  private drawChoice(choice: Choice, index: number): HTMLElement {
    return el(
      "div",
      {
        class: "palette-choice",
        role: "option",
        id: `palette-${index}`,
        on: {
          click: () => this.run(choice),
          pointermove: () => {
            this.chosen = index;
            this.mark();
          },
        },
      },
      icon(choice.icon),
      el("span", { class: "palette-label" }, choice.label),
      choice.detail !== undefined && el("span", { class: "palette-detail" }, choice.detail),
      choice.keys !== undefined && el("kbd", {}, keyText(choice.keys)),
    );
  }

  private mark(): void {
    for (const option of this.list.querySelectorAll(".palette-choice")) {
      const selected = option.id === `palette-${this.chosen}`;
      option.setAttribute("aria-selected", String(selected));
      if (selected) option.scrollIntoView({ block: "nearest" });
    }
    if (this.choices.length > 0) this.input.setAttribute("aria-activedescendant", `palette-${this.chosen}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  private onKey(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const count = this.choices.length;
    if (step && count > 0) {
      event.preventDefault();
      this.chosen = (this.chosen + step + count) % count;
      this.mark();
    }
    const choice = this.choices[this.chosen];
    if (event.key === "Enter" && !event.isComposing && choice) {
      event.preventDefault();
      this.run(choice);
    }
  }

  /** Closed first, so that the focus is back where it was when the command acts. */
  private run(choice: Choice): void {
    this.dialog.close();
    choice.run();
  }
}

function documentChoice(entry: DocumentEntry): Choice {
  return {
    label: titleOf(entry),
    ...(entry.preview && { detail: entry.preview }),
    icon: "document",
    run: () => location.assign(editorPath(entry.id)),
  };
}
