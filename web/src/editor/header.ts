/** The head of the editor: the way back, title, state, people, and what else can be done. */
import type { DocumentSession } from "@quire/client";
import { el } from "../dom";
import { iconButton, textButton } from "../ui/button";
import { attachMenu } from "../ui/menu";
import { mark } from "../ui/mark";
import { canSignIn, learnEntrance } from "../ui/person";
import { identity } from "../identity";
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
  const share = textButton({ label: "Share", icon: "share", class: "share-button", onClick: () => void actions.share() });
  return el(
    "header",
    { class: "editor-head" },
    home,
    el("div", { class: "heading" }, title.element, stateLine.element),
    people.element,
    signInPlace(actions),
    share,
    outline.button,
    more,
  );
}

/** A way to sign in, for as long as nobody has; whoever has is among the people. */
function signInPlace({ person }: Actions): HTMLElement {
  const button = textButton({ label: "Sign in", class: "quiet sign-in-button", onClick: person.signIn });
  const draw = () => (button.hidden = !canSignIn());
  draw();
  identity.onChange(draw);
  void learnEntrance().then(draw);
  return button;
}
