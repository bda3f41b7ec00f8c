/** Tables that are drawn anew with each look at the server, without taking the focus from a button in them. */
import { el, fill, type Child } from "../dom";

export interface Column<Row> {
  title: string;
  /** Numbers stand at the right. */
  number?: boolean;
  /** Says nothing where there is one server. */
  ofSeveral?: boolean;
  cell: (row: Row) => Child;
}

export class Table<Row> {
  readonly element: HTMLElement;
  private readonly body = el("tbody");
  private readonly empty: HTMLElement;

  constructor(
    private readonly columns: Column<Row>[],
    private readonly key: (row: Row) => string,
    options: { label: string; empty: string },
  ) {
    const heads = columns.map((column) => el("th", { scope: "col", class: classOf(column) }, column.title));
    this.empty = el("p", { class: "hint" }, options.empty);
    this.element = el(
      "div",
      // What scrolls has to be reached by keys.
      { class: "table", tabindex: 0, role: "region", "aria-label": options.label },
      el("table", {}, el("thead", {}, el("tr", {}, ...heads)), this.body),
      this.empty,
    );
  }

  draw(rows: Row[]): void {
    this.empty.hidden = rows.length > 0;
    const focused = this.focused();
    fill(
      this.body,
      ...rows.map((row) =>
        el(
          "tr",
          { "data-key": this.key(row) },
          ...this.columns.map((column) => el("td", { class: classOf(column) }, column.cell(row))),
        ),
      ),
    );
    if (focused) this.focus(focused);
  }

  private focused(): { key: string; label: string } | undefined {
    const element = document.activeElement;
    const row = element?.closest("tr");
    if (!element || !row || !this.body.contains(row)) return undefined;
    return { key: row.dataset.key ?? "", label: element.textContent };
  }

  private focus({ key, label }: { key: string; label: string }): void {
    const row = this.body.querySelector(`tr[data-key="${CSS.escape(key)}"]`);
    const same = [...(row?.querySelectorAll<HTMLElement>("a, button") ?? [])].find((one) => one.textContent === label);
    same?.focus();
  }
}

function classOf<Row>({ number, ofSeveral }: Column<Row>): string | undefined {
  if (number) return "number";
  return ofSeveral ? "of-several" : undefined;
}
