/** People: their colours, initials and round badges. */
import type { Person } from "./api";
import { el } from "./dom";

/** How many colours tokens.css has for people. */
export const COLORS = 12;

/** The twelve of tokens.css, in lower case. */
let colors: string[] | undefined;

/** The colour of `person` as a CSS value: the one that the server has given them, which is the same on every page. */
export function colorOf(person: Person): string {
  return `var(--person-${numberOf(person) + 1})`;
}

/** The number of their colour, from 0. A server that gives others than the twelve has them replaced, always by the same. */
export function numberOf({ id, color }: Person, known = (colors ??= tokenColors())): number {
  const listed = known.indexOf(color.toLowerCase());
  return listed >= 0 ? listed : hash(color || id) % COLORS;
}

function tokenColors(): string[] {
  const style = getComputedStyle(document.documentElement);
  return Array.from({ length: COLORS }, (_, index) =>
    style
      .getPropertyValue(`--person-${index + 1}`)
      .trim()
      .toLowerCase(),
  );
}

/** FNV-1a: spreads short strings well, and is the same in every browser. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return value;
}

/** One or two letters that stand for a name. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return letters.map((word) => firstLetter(word ?? "?")).join("");
}

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** What a reader takes for the first letter, be it several code points. */
function firstLetter(word: string): string {
  for (const { segment } of segmenter.segment(word)) return segment.toUpperCase();
  return "";
}

/** A round badge with initials; `detail` follows the name in its tooltip. */
export function badge(person: Person, color: string, detail = ""): HTMLElement {
  const label = detail ? `${person.name} (${detail})` : person.name;
  const face = el("span", { class: "badge", role: "img", "aria-label": label, title: label }, initials(person.name));
  face.style.setProperty("--person", color);
  return face;
}

/** At most `most` badges and, for the others, "+n". */
export function badges(people: Person[], most: number): HTMLElement[] {
  const shown = people.length > most ? people.slice(0, most) : people;
  const rest = people.slice(shown.length);
  const drawn = shown.map((person) => badge(person, colorOf(person)));
  if (rest.length > 0) {
    const names = rest.map((person) => person.name).join(", ");
    drawn.push(
      el("span", { class: "badge rest", role: "img", "aria-label": `and ${names}`, title: names }, `+${rest.length}`),
    );
  }
  return drawn;
}
