/**
 * Tables that are brought up to date with each look at the server. What has not changed stays the element that it was: a click
 * needs the same one under the pointer when it begins and when it ends, and the focus does not get lost.
 */
import { el, type Child } from "../dom";

export interface Column<Row> {
  title: string;
  /** Numbers stand at the right. */
  number?: boolean;
  /** Says nothing where there is one server. */
  ofSeveral?: boolean;
  /** What a button in it does is done with the row that it was made of, as long as it looks the same. */
  cell: (row: Row) => Child;
}

interface Line {
  element: HTMLElement;
  cells: HTMLElement[];
}

export class Table<Row> {
  readonly element: HTMLElement;
  private readonly body = el("tbody");
  private readonly empty: HTMLElement;
  private lines = new Map<string, Line>();

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
    const before = this.lines;
    this.lines = new Map(rows.map((row) => [this.key(row), before.get(this.key(row)) ?? this.line(this.key(row))]));
    for (const [key, { element }] of before) if (!this.lines.has(key)) element.remove();
    rows.forEach((row, index) => {
      const line = this.lines.get(this.key(row));
      if (!line) return;
      this.columns.forEach(({ cell }, column) => show(line.cells[column], el("td", {}, cell(row))));
      const there = this.body.children.item(index);
      if (there !== line.element) this.body.insertBefore(line.element, there);
    });
  }

  private line(key: string): Line {
    const cells = this.columns.map((column) => el("td", { class: classOf(column) }));
    return { element: el("tr", { "data-key": key }, ...cells), cells };
  }
}

/** Has a cell show what `wanted` shows, and leaves it alone where it does so already. The focus stays in it. */
function show(cell: HTMLElement | undefined, wanted: HTMLElement): void {
  if (!cell || cell.innerHTML === wanted.innerHTML) return;
  const focused = cell.contains(document.activeElement) && document.activeElement?.textContent;
  cell.replaceChildren(...wanted.childNodes);
  if (focused === false) return;
  const choices = [...cell.querySelectorAll<HTMLElement>("a, button")];
  (choices.find(({ textContent }) => textContent === focused) ?? choices[0])?.focus();
}

function classOf<Row>({ number, ofSeveral }: Column<Row>): string | undefined {
  if (number) return "number";
  return ofSeveral ? "of-several" : undefined;
}
