/** What a person sets once for this browser: name, theme, sheet font. */

export type Theme = "system" | "light" | "dark";
export type SheetFont = "serif" | "sans" | "mono";

export interface Settings {
  /** How others see this guest. 1 to 40 characters. */
  name: string;
  theme: Theme;
  font: SheetFont;
}

const KEY = "quire.settings";
export const NAME_LENGTH = 40;

const MANNERS = [
  "Calm",
  "Bright",
  "Quiet",
  "Swift",
  "Gentle",
  "Clever",
  "Merry",
  "Patient",
  "Bold",
  "Curious",
  "Wise",
  "Lively",
];
const ANIMALS = [
  "Heron",
  "Otter",
  "Fox",
  "Wren",
  "Lynx",
  "Badger",
  "Swallow",
  "Hare",
  "Owl",
  "Marten",
  "Robin",
  "Seal",
];

type Listener = (settings: Settings) => void;
const listeners = new Set<Listener>();
let current = load();

export function settings(): Settings {
  return current;
}

/** Changes settings, keeps them for this browser, and tells who listens. */
export function change(part: Partial<Settings>): void {
  current = valid({ ...current, ...part });
  store(current);
  announce();
}

/** Calls `listener` after every change, also one made in another tab. Returns the way to stop. */
export function onSettings(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Puts theme and font on the root element, where tokens.css reads them. */
export function applyLook(): void {
  const root = document.documentElement;
  if (current.theme === "system") delete root.dataset.theme;
  else root.dataset.theme = current.theme;
  root.dataset.sheetFont = current.font;
}

function announce(): void {
  applyLook();
  for (const listener of listeners) listener(current);
}

window.addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  current = load();
  announce();
});

function load(): Settings {
  const first: Settings = { name: inventName(), theme: "system", font: "serif" };
  try {
    const kept = localStorage.getItem(KEY);
    if (kept) return valid({ ...first, ...(JSON.parse(kept) as Partial<Settings>) });
  } catch {
    // Storage is switched off or holds something else: this visit goes on with what it starts with.
  }
  store(first);
  return first;
}

function store(value: Settings): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(value));
  } catch {
    // Without storage the settings last as long as the page.
  }
}

function valid(value: Settings): Settings {
  const name = value.name.trim().slice(0, NAME_LENGTH);
  return {
    name: name || inventName(),
    theme: value.theme === "light" || value.theme === "dark" ? value.theme : "system",
    font: value.font === "sans" || value.font === "mono" ? value.font : "serif",
  };
}

/** A first name for a guest that can be told from its neighbours' at a glance. */
function inventName(): string {
  const pick = (words: string[]) => words[Math.floor(Math.random() * words.length)] ?? "";
  return `${pick(MANNERS)} ${pick(ANIMALS)}`;
}
