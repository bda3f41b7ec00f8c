/** Menus on the popover API: the browser closes the top one on Esc or a click elsewhere. */
import { el } from "../dom";
import { icon, type IconName } from "./icons";
import { keyText } from "./keys";

export interface MenuItem {
  label: string;
  icon?: IconName;
  keys?: string;
  /** Given for one of several choices: whether it is the one that holds. */
  checked?: boolean;
  danger?: boolean;
  run: () => void;
}

/** Items, with `"-"` for a dividing line and a string starting with `#` for the heading of a group. */
export type MenuEntry = MenuItem | "-" | `#${string}`;

/** Distance between a menu and its button or the edge of the window, in px. */
const GAP = 6;

/** Makes `button` open a menu whose entries are asked for each time. */
export function attachMenu(button: HTMLButtonElement, label: string, entries: () => MenuEntry[]): void {
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => openMenu(button, label, entries()));
}

function openMenu(button: HTMLButtonElement, label: string, entries: MenuEntry[]): void {
  const menu = el("div", { class: "menu", role: "menu", popover: "auto", "aria-label": label });
  menu.append(...entries.map((entry) => drawEntry(entry, menu)));
  menu.addEventListener("keydown", (event) => walk(menu, event));
  menu.addEventListener("toggle", (event) => {
    const open = event.newState === "open";
    button.setAttribute("aria-expanded", String(open));
    if (!open) menu.remove();
  });
  // Inside the button's own layer, since a modal dialog makes everything outside of it inert.
  (button.closest("dialog") ?? document.body).append(menu);
  menu.showPopover();
  place(menu, button.getBoundingClientRect());
  items(menu)[0]?.focus();
}

function drawEntry(entry: MenuEntry, menu: HTMLElement): HTMLElement {
  if (entry === "-") return el("hr", { role: "separator" });
  if (typeof entry === "string") return el("div", { class: "menu-heading", role: "presentation" }, entry.slice(1));
  const choice = entry.checked !== undefined;
  const run = () => {
    menu.hidePopover();
    entry.run();
  };
  return el(
    "button",
    {
      type: "button",
      class: entry.danger ? "menu-item danger" : "menu-item",
      role: choice ? "menuitemradio" : "menuitem",
      "aria-checked": choice && String(entry.checked),
      tabindex: -1,
      on: { click: run },
    },
    choice ? el("span", { class: "menu-check" }, entry.checked ? icon("check") : "") : entry.icon && icon(entry.icon),
    el("span", { class: "menu-label" }, entry.label),
    entry.keys !== undefined && el("kbd", {}, keyText(entry.keys)),
  );
}

function items(menu: HTMLElement): HTMLElement[] {
  return [...menu.querySelectorAll<HTMLElement>(".menu-item")];
}

function walk(menu: HTMLElement, event: KeyboardEvent): void {
  const all = items(menu);
  const at = all.findIndex((item) => item === document.activeElement);
  const moves: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
  const next = moves[event.key];
  if (event.key === "Tab") menu.hidePopover();
  if (next === undefined) return;
  event.preventDefault();
  all.at(next % all.length)?.focus();
}

/** Below the button and within the window, its right edge under the button's when there is no room to the right. */
function place(menu: HTMLElement, anchor: DOMRect): void {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = anchor.left + width > innerWidth - GAP ? anchor.right - width : anchor.left;
  const top = anchor.bottom + GAP + height > innerHeight ? anchor.top - GAP - height : anchor.bottom + GAP;
  menu.style.left = `${Math.max(GAP, left)}px`;
  menu.style.top = `${Math.max(GAP, top)}px`;
}
