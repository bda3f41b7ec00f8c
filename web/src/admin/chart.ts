/** A small chart of one figure over the last minutes, with the figure itself in text. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { el, setText } from "../dom";

/** Looks that a chart keeps. */
const KEPT = 150;
const HEIGHT = 72;

export class Chart {
  readonly element: HTMLElement;
  private readonly value = el("strong", { class: "chart-value" }, "–");
  private readonly place = el("div", { class: "chart-canvas", "aria-hidden": "true" });
  private readonly times: number[] = [];
  private readonly values: number[] = [];
  private plot: uPlot | undefined;

  constructor(label: string) {
    this.element = el("figure", { class: "chart" }, el("figcaption", {}, label, this.value), this.place);
    new ResizeObserver(() => this.plot?.setSize({ width: this.place.clientWidth, height: HEIGHT })).observe(this.place);
  }

  /** Adds what was found at `at` (Unix ms). */
  add(at: number, value: number): void {
    this.times.push(at / 1_000);
    this.values.push(value);
    if (this.times.length > KEPT) {
      this.times.shift();
      this.values.shift();
    }
    setText(this.value, shown(value));
    this.plot ??= this.draw();
    this.plot.setData([this.times, this.values]);
  }

  private draw(): uPlot {
    // Asked for at each drawing, since the theme may change.
    const color = () => getComputedStyle(this.place).color;
    const options: uPlot.Options = {
      width: this.place.clientWidth,
      height: HEIGHT,
      cursor: { show: false },
      legend: { show: false },
      axes: [{ show: false }, { show: false }],
      scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
      series: [{}, { stroke: color, width: 1.5, points: { show: false } }],
    };
    return new uPlot(options, [this.times, this.values], this.place);
  }
}

/** Three digits are enough. */
function shown(value: number): string {
  return value.toLocaleString(undefined, { maximumSignificantDigits: 3 });
}
