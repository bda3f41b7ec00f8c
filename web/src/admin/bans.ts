/** Whom the server does not serve: the list of bans, and a form for one more. */
import { el, setText } from "../dom";
import { textButton } from "../ui/button";
import { exactly } from "../time";
import type { Ban, NewBan } from "./api";
import { isNetwork } from "./network";
import { Table } from "./table";

const HOUR = 3_600_000;

/** How long a ban holds, in ms. */
const LASTING: [string, number | undefined][] = [
  ["for an hour", HOUR],
  ["for a day", 24 * HOUR],
  ["for 30 days", 30 * 24 * HOUR],
  ["until it is lifted", undefined],
];

export class Bans {
  readonly element: HTMLElement;
  private readonly fault = el("p", { class: "fault", role: "alert" });
  private readonly who = el("input", {
    class: "field",
    "aria-label": "User or network",
    placeholder: "User or network, such as 192.0.2.0/24",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 128,
    required: true,
  });
  private readonly reason = el("input", {
    class: "field",
    "aria-label": "Reason",
    placeholder: "Reason, for administrators",
    autocomplete: "off",
    maxlength: 500,
  });
  private readonly lasting = el(
    "select",
    { class: "field", "aria-label": "How long" },
    ...LASTING.map(([label], index) => el("option", { value: String(index) }, label)),
  );
  private readonly table: Table<Ban>;

  /** `ban` says why not, if it does not work. */
  constructor(
    private readonly act: { ban: (ban: NewBan) => Promise<string | undefined>; lift: (ban: Ban) => void },
  ) {
    this.table = new Table<Ban>(
      [
        { title: "Who", cell: ({ user, network }) => user ?? network },
        { title: "Reason", cell: ({ reason }) => reason },
        { title: "Until", cell: ({ expires_at }) => (expires_at === undefined ? "lifted" : exactly(expires_at)) },
        { title: "By", cell: ({ made_by }) => made_by },
        { title: "Actions", cell: (ban) => textButton({ label: "Lift", onClick: () => this.act.lift(ban) }) },
      ],
      ({ id }) => id,
      { label: "Bans", empty: "Nobody is banned." },
    );
    const submit = (event: Event) => {
      event.preventDefault();
      void this.submit();
    };
    this.element = el(
      "div",
      { class: "bans" },
      el(
        "form",
        { class: "ban-form", on: { submit } },
        this.who,
        this.reason,
        this.lasting,
        el("button", { class: "button danger", type: "submit" }, "Ban"),
      ),
      this.fault,
      this.table.element,
    );
  }

  draw(bans: Ban[]): void {
    this.table.draw(bans);
  }

  private async submit(): Promise<void> {
    const who = this.who.value.trim();
    const lasts = LASTING[Number(this.lasting.value)]?.[1];
    const why = await this.act.ban({
      ...(isNetwork(who) ? { network: who } : { user: who }),
      reason: this.reason.value.trim(),
      ...(lasts !== undefined && { expires_at: Date.now() + lasts }),
    });
    setText(this.fault, why ?? "");
    if (why === undefined) this.who.value = this.reason.value = "";
  }
}
