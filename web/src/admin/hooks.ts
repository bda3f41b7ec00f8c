/** Who is told of events, how that goes, and what one of them was not told. */
import { el, setText } from "../dom";
import { exactly } from "../time";
import { textButton } from "../ui/button";
import type { DeadDelivery, Found, Webhook } from "./api";
import { hookState, whyGivenUp } from "./hook-words";
import { Table } from "./table";

export class Hooks {
  readonly element: HTMLElement;
  private chosen: Webhook | undefined;
  private readonly title = el("h3", {});
  private readonly below: HTMLElement;
  private readonly table = new Table<Webhook>(
    [
      { title: "Address", cell: ({ url }) => url },
      { title: "Of", cell: ({ owner }) => owner ?? "all documents" },
      { title: "State", cell: (hook) => hookState(hook) },
      {
        title: "Actions",
        cell: (hook) =>
          textButton({
            label: hook.id === this.shown ? "Hide what was given up" : "Show what was given up",
            onClick: () => this.choose(hook),
          }),
      },
    ],
    ({ id }) => id,
    { label: "Webhooks", empty: "There are no webhooks." },
  );
  private readonly dead = new Table<DeadDelivery>(
    [
      { title: "Event", cell: ({ type }) => type },
      { title: "Document", cell: ({ doc }) => doc },
      { title: "Tries", number: true, cell: ({ tries }) => tries },
      { title: "Given up", cell: ({ done_at }) => done_at !== undefined && exactly(done_at) },
      { title: "Why", cell: (delivery) => whyGivenUp(delivery) },
      {
        title: "Actions",
        cell: (delivery) => textButton({ label: "Send again", onClick: () => this.sendAgain(delivery) }),
      },
    ],
    ({ id }) => id,
    { label: "Deliveries that were given up", empty: "Nothing was given up." },
  );

  constructor(
    private readonly act: { look: () => void; redeliver: (hook: Webhook, delivery: DeadDelivery) => void },
  ) {
    this.below = el("div", {}, this.title, this.dead.element);
    this.below.hidden = true;
    this.element = el("div", { class: "hooks" }, this.table.element, this.below);
  }

  /** The webhook of which it is shown what was given up. */
  get shown(): string | undefined {
    return this.chosen?.id;
  }

  draw(hooks: Webhook[], dead: Found["dead"]): void {
    this.chosen = hooks.find(({ id }) => id === this.shown);
    this.table.draw(hooks);
    // What was asked for before another one was chosen is not that one's.
    const ofThis = this.chosen !== undefined && dead?.of === this.shown ? dead : undefined;
    this.below.hidden = ofThis === undefined;
    setText(this.title, `Given up: ${this.chosen?.url ?? ""}`);
    this.dead.draw(ofThis?.deliveries ?? []);
  }

  private choose(hook: Webhook): void {
    this.chosen = hook.id === this.shown ? undefined : hook;
    this.act.look();
  }

  private sendAgain(delivery: DeadDelivery): void {
    if (this.chosen) this.act.redeliver(this.chosen, delivery);
  }
}
