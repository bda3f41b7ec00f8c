/** Who is here: at most five badges and "+n". A badge leads to that person's caret. */
import type { Peer } from "@quire/client";
import type { Person } from "../api";
import { el, fill } from "../dom";
import { badge, colorOf } from "../people";
import { askName } from "../ui/look";
import { attachMenu, type MenuItem } from "../ui/menu";

/** Somebody in the document, with all their windows taken together. */
interface Presence {
  person: Person;
  you: boolean;
  status: string;
}

export class PeopleBar {
  readonly element = el("div", { class: "people", role: "group", "aria-label": "Who is here" });
  private readonly narrow = matchMedia("(max-width: 720px)");
  private here: Presence[] = [];
  private drawn = "";

  constructor(private readonly goTo: (userId: string) => void) {
    this.narrow.addEventListener("change", () => this.draw());
  }

  /** Shows the people of a session: oneself first, then the others in the order of their coming. */
  show(you: Person | undefined, peers: readonly Peer[]): void {
    const here = new Map<string, Presence>();
    if (you) here.set(you.id, { person: you, you: true, status: "you" });
    for (const peer of peers) {
      const status = peer.state?.status ?? "here";
      if (!here.has(peer.user.id)) here.set(peer.user.id, { person: peer.user, you: false, status });
    }
    this.here = [...here.values()];
    this.draw();
  }

  private draw(): void {
    const most = this.narrow.matches ? 2 : 5;
    const what = JSON.stringify([most, this.here]);
    if (what === this.drawn) return;
    this.drawn = what;
    const shown = this.here.slice(0, most);
    const rest = this.here.slice(most);
    fill(this.element, ...shown.map((presence) => this.drawPerson(presence)), rest.length > 0 && this.drawRest(rest));
  }

  private drawPerson(presence: Presence): HTMLElement {
    const { person, you } = presence;
    const label = you
      ? `${person.name} (you): change your name`
      : `${person.name}, ${statusText(presence.status)}: go to their place`;
    const face = badge(person, colorOf(person));
    face.removeAttribute("role");
    face.setAttribute("aria-hidden", "true");
    return el(
      "button",
      { type: "button", class: "person", "aria-label": label, title: label, on: { click: () => this.act(presence) } },
      face,
    );
  }

  private drawRest(rest: Presence[]): HTMLElement {
    const button = el(
      "button",
      {
        type: "button",
        class: "person",
        "aria-label": `${rest.length} more`,
        title: rest.map(({ person }) => person.name).join(", "),
      },
      el("span", { class: "badge rest" }, `+${rest.length}`),
    );
    attachMenu(button, "Everybody who is here", () =>
      this.here.map((presence): MenuItem => ({
        label: presence.you ? `${presence.person.name} (you)` : presence.person.name,
        run: () => this.act(presence),
      })),
    );
    return button;
  }

  private act({ person, you }: Presence): void {
    if (you) void askName();
    else this.goTo(person.id);
  }
}

function statusText(status: string): string {
  return { typing: "typing", selecting: "selecting", idle: "away for a moment" }[status] ?? "here";
}
