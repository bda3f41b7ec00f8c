/** The head of the documents page: the mark, the search field, settings, and the one primary button. */
import { el } from "../dom";
import { iconButton, textButton } from "../ui/button";
import { icon } from "../ui/icons";
import { lookMenu } from "../ui/look";
import { attachMenu } from "../ui/menu";
import { mark } from "../ui/mark";
import { personMenu, personPlace, plainActions } from "../ui/person";

export class Bar {
  readonly field = el("input", {
    class: "search-field",
    type: "search",
    placeholder: "Search documents",
    "aria-label": "Search documents",
    "aria-keyshortcuts": "/",
    maxlength: 200,
    autocomplete: "off",
    spellcheck: "false",
  });
  readonly element: HTMLElement;

  constructor(actions: { search: () => void; create: () => void; trash: () => void }) {
    const more = iconButton({ icon: "more", label: "More", onClick: () => undefined });
    attachMenu(more, "More", () => [
      ...personMenu(plainActions),
      "-",
      ...lookMenu(),
      "-",
      { label: "Trash", icon: "trash", run: actions.trash },
    ]);
    this.field.addEventListener("input", actions.search);
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.field.value === "") return;
      event.preventDefault();
      this.field.value = "";
      actions.search();
    });
    this.element = el(
      "header",
      { class: "page-bar" },
      el("a", { class: "wordmark", href: "/", "aria-label": "quire, documents" }, mark(), el("span", {}, "quire")),
      el("div", { class: "search", role: "search" }, icon("search"), this.field),
      el(
        "div",
        { class: "bar-end" },
        personPlace(plainActions),
        more,
        textButton({ label: "New document", icon: "new", class: "primary", onClick: actions.create }),
      ),
    );
  }

  /** What is searched for, without blanks around it. */
  get query(): string {
    return this.field.value.trim();
  }

  focusSearch(): void {
    this.field.focus();
    this.field.select();
  }
}
