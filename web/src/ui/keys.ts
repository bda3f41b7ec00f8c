/** Keyboard shortcuts: written once as "Mod+Shift+7", matched and displayed from that. */

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);

const SIGNS: Record<string, string> = MAC
  ? { Mod: "⌘", Alt: "⌥", Shift: "⇧", Ctrl: "⌃", Enter: "↩", Escape: "Esc" }
  : { Mod: "Ctrl", Escape: "Esc" };

const ARROWS: Record<string, string> = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };

/** The keys as this platform prints them: ["Ctrl", "Shift", "7"]. */
export function keyCaps(keys: string): string[] {
  return keys.split("+").map((key) => SIGNS[key] ?? ARROWS[key] ?? key);
}

/** One string for tooltips: "Ctrl+Shift+7" or "⇧⌘7". */
export function keyText(keys: string): string {
  return keyCaps(keys).join(MAC ? "" : "+");
}

/** For `aria-keyshortcuts`, whose names are those of the DOM. */
export function ariaKeys(keys: string): string {
  return keys.replace("Mod", MAC ? "Meta" : "Control");
}

/** Whether `event` is the shortcut `keys`. Letters are compared by what they type, digits by their place. */
export function matches(event: KeyboardEvent, keys: string): boolean {
  // AltGr is reported as Ctrl and Alt, and types letters of its own: ó and ć in Polish.
  if (event.getModifierState("AltGraph")) return false;
  const parts = keys.split("+");
  const key = parts.pop() ?? "";
  const mod = MAC ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
  if (parts.includes("Mod") !== (mod || event.ctrlKey || event.metaKey)) return false;
  if (parts.includes("Alt") !== event.altKey) return false;
  // What Shift types differs between layouts, so it counts only for letters, digits and named keys.
  if (/^\w+$/.test(key) && parts.includes("Shift") !== event.shiftKey) return false;
  return event.key.toLowerCase() === key.toLowerCase() || event.code === `Digit${key}` || event.code === `Key${key}`;
}
