/** Theme and sheet font, as a menu and as commands; and the name of a guest. */
import { NAME_LENGTH, change, settings, type SheetFont, type Theme } from "../settings";
import type { Command } from "./commands";
import { askText } from "./dialog";
import type { IconName } from "./icons";
import type { MenuEntry } from "./menu";

const THEMES: [Theme, string, IconName][] = [
  ["system", "As the system", "system"],
  ["light", "Light", "light"],
  ["dark", "Dark", "dark"],
];

const FONTS: [SheetFont, string][] = [
  ["serif", "Book"],
  ["sans", "Plain"],
  ["mono", "Typewriter"],
];

export function lookMenu(): MenuEntry[] {
  const now = settings();
  return [
    "#Theme",
    ...THEMES.map(([theme, label]) => ({ label, checked: theme === now.theme, run: () => change({ theme }) })),
    "#Font of the sheet",
    ...FONTS.map(([font, label]) => ({ label, checked: font === now.font, run: () => change({ font }) })),
  ];
}

export function lookCommands(): Command[] {
  return [
    ...THEMES.map(([theme, label, icon]): Command => ({
      label: `Theme: ${label.toLowerCase()}`,
      icon,
      run: () => change({ theme }),
    })),
    ...FONTS.map(([font, label]): Command => ({
      label: `Sheet font: ${label.toLowerCase()}`,
      icon: "font",
      run: () => change({ font }),
    })),
  ];
}

export async function askName(): Promise<void> {
  const name = await askText({
    title: "Your name",
    label: "Your name",
    value: settings().name,
    hint: "Others see it beside your caret. It is kept in this browser.",
    action: "Save",
    maxLength: NAME_LENGTH,
  });
  if (name) change({ name });
}
