/** People: their colours, initials and round badges. */
import type { Person } from "./api";
import { el } from "./dom";

/** How many colours tokens.css has for people. */
export const COLORS = 12;

/**
 * Gives everybody on a page a colour of the twelve. A person keeps theirs as long as they are here; whoever
 * comes while another has the same one gets the next that is free, so that neighbours differ.
 */
export class PeopleColors {
  private readonly given = new Map<string, number>();

  /** `colors` are the twelve of tokens.css: the server gives people one of the same, which they then have everywhere. */
  constructor(private readonly colors: string[] = tokenColors()) {}

  /** The colour of `person` as a CSS value. */
  colorOf(person: Person): string {
    return `var(--person-${this.numberOf(person) + 1})`;
  }

  /** Forgets who is not in `present`, so that their colours are free again. */
  keepOnly(present: Iterable<string>): void {
    const here = new Set(present);
    for (const id of this.given.keys()) if (!here.has(id)) this.given.delete(id);
  }

  /** The number of their colour, from 0. */
  numberOf(person: Person): number {
    const known = this.given.get(person.id);
    if (known !== undefined) return known;
    const taken = new Set(this.given.values());
    const listed = this.colors.indexOf(person.color.toLowerCase());
    let number = listed >= 0 ? listed : hash(person.color || person.id) % COLORS;
    while (taken.has(number) && taken.size < COLORS) number = (number + 1) % COLORS;
    this.given.set(person.id, number);
    return number;
  }
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
export function badges(people: Person[], colors: PeopleColors, most: number): HTMLElement[] {
  const shown = people.length > most ? people.slice(0, most) : people;
  const rest = people.slice(shown.length);
  const drawn = shown.map((person) => badge(person, colors.colorOf(person)));
  if (rest.length > 0) {
    const names = rest.map((person) => person.name).join(", ");
    drawn.push(
      el("span", { class: "badge rest", role: "img", "aria-label": `and ${names}`, title: names }, `+${rest.length}`),
    );
  }
  return drawn;
}
