/** Who is here: at most five badges and "+n". A badge leads to that person's caret. */
import type { Peer } from "@quire/client";
import type { Person } from "../api";
import { el, setText } from "../dom";
import { badge, colorOf, initials } from "../people";
import { identity } from "../identity";
import { askName } from "../ui/look";
import { attachMenu, type MenuItem } from "../ui/menu";

/** Somebody in the document, with all their windows taken together. */
interface Presence {
  person: Person;
  you: boolean;
  status: string;
}

/** A button that stands for somebody, for as long as they are among those shown. */
interface Face {
  button: HTMLButtonElement;
  badge: HTMLElement;
  presence: Presence;
}

export class PeopleBar {
  readonly element = el("div", { class: "people", role: "group", "aria-label": "Who is here" });
  private readonly narrow = matchMedia("(max-width: 720px)");
  private readonly tight = matchMedia("(max-width: 360px)");
  private readonly faces = new Map<string, Face>();
  private readonly rest = el("span", { class: "badge rest" });
  private readonly restButton = el("button", { type: "button", class: "person" }, this.rest);
  private here: Presence[] = [];
  private absent = false;

  constructor(
    private readonly goTo: (userId: string) => void,
    private readonly openAccount: () => void,
  ) {
    for (const query of [this.narrow, this.tight]) query.addEventListener("change", () => this.draw());
    attachMenu(this.restButton, "Everybody who is here", () =>
      this.here.map((presence): MenuItem => ({
        label: presence.you ? `${presence.person.name} (you)` : presence.person.name,
        run: () => this.act(presence),
      })),
    );
  }

  /**
   * Shows the people of a session: oneself first, then the others in the order of their coming. Without a connection
   * nobody knows who else is here: they stay as they were last seen, faded.
   */
  show(you: Person | undefined, peers: readonly Peer[], connected: boolean): void {
    const here = new Map<string, Presence>();
    if (you) here.set(you.id, { person: you, you: true, status: "you" });
    for (const peer of peers) {
      const status = peer.state?.status ?? "here";
      if (!here.has(peer.user.id)) here.set(peer.user.id, { person: peer.user, you: false, status });
    }
    this.here = [...here.values()];
    this.absent = !connected;
    this.draw();
  }

  /** Changes what is there instead of making it anew, and moves nothing: a button that has the focus keeps it. */
  private draw(): void {
    const most = this.tight.matches ? 1 : this.narrow.matches ? 2 : 5;
    const shown = this.here.slice(0, most);
    const wanted = new Set(shown.map(({ person }) => person.id));
    for (const [id, { button }] of this.faces) {
      if (wanted.has(id)) continue;
      this.leave(button);
      this.faces.delete(id);
    }
    shown.forEach((presence, index) => {
      const { button } = this.faceOf(presence);
      if (this.element.children[index] !== button) this.element.insertBefore(button, this.element.children[index] ?? null);
    });
    this.drawRest(this.here.slice(most));
  }

  /** Takes a button away. The focus goes to a neighbour, not to nowhere. */
  private leave(button: HTMLButtonElement): void {
    const focused = button === document.activeElement;
    const neighbour = button.previousElementSibling ?? button.nextElementSibling;
    if (focused && neighbour instanceof HTMLElement) neighbour.focus();
    button.remove();
  }

  private faceOf(presence: Presence): Face {
    const { person, you } = presence;
    let face = this.faces.get(person.id);
    if (!face) {
      const drawn = badge(person, colorOf(person));
      drawn.removeAttribute("role");
      drawn.removeAttribute("aria-label");
      drawn.removeAttribute("title");
      drawn.setAttribute("aria-hidden", "true");
      const made: Face = { button: el("button", { type: "button", class: "person" }, drawn), badge: drawn, presence };
      made.button.addEventListener("click", () => this.act(made.presence));
      this.faces.set(person.id, made);
      face = made;
    }
    face.presence = presence;
    face.badge.style.setProperty("--person", colorOf(person));
    setText(face.badge, initials(person.name));
    const gone = this.absent && !you;
    const label = you
      ? `${person.name} (you): ${identity.user ? "your account" : "change your name"}`
      : gone
        ? `${person.name}, as last seen`
        : `${person.name}, ${statusText(presence.status)}: go to their place`;
    face.button.classList.toggle("absent", gone);
    if (face.button.title !== label) {
      face.button.title = label;
      face.button.setAttribute("aria-label", label);
    }
    return face;
  }

  private drawRest(rest: Presence[]): void {
    if (rest.length === 0) {
      this.leave(this.restButton);
      return;
    }
    setText(this.rest, `+${rest.length}`);
    this.restButton.setAttribute("aria-label", `${rest.length} more`);
    this.restButton.title = rest.map(({ person }) => person.name).join(", ");
    this.restButton.classList.toggle("absent", this.absent);
    if (this.element.lastElementChild !== this.restButton) this.element.append(this.restButton);
  }

  private act({ person, you }: Presence): void {
    if (!you) this.goTo(person.id);
    else if (identity.user) this.openAccount();
    else void askName();
  }
}

function statusText(status: string): string {
  return { typing: "typing", selecting: "selecting", idle: "away for a moment" }[status] ?? "here";
}
