/** The head of the editor: the way back, title, state, people, and what else can be done. */
import type { DocumentSession } from "@quire/client";
import { el } from "../dom";
import { iconButton } from "../ui/button";
import { attachMenu } from "../ui/menu";
import { mark } from "../ui/mark";
import type { Actions } from "./actions";
import { saveBefore } from "./leave";
import type { Outline } from "./outline";
import type { PeopleBar } from "./people-bar";
import type { StateLine } from "./state-line";
import type { Title } from "./title";

export interface HeaderParts {
  session: DocumentSession;
  title: Title;
  stateLine: StateLine;
  people: PeopleBar;
  outline: Outline;
  actions: Actions;
}

export function drawHeader({ session, title, stateLine, people, outline, actions }: HeaderParts): HTMLElement {
  const more = iconButton({ icon: "more", label: "More", onClick: () => undefined });
  attachMenu(more, "More", () => actions.menu());
  const home = el("a", { class: "home", href: "/", "aria-label": "All documents", title: "All documents" }, mark());
  saveBefore(home, session, title);
  return el(
    "header",
    { class: "editor-head" },
    home,
    el("div", { class: "heading" }, title.element, stateLine.element),
    people.element,
    outline.button,
    more,
  );
}
