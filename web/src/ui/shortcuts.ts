/** The list of shortcuts, on Ctrl/⌘ /. */
import { el } from "../dom";
import type { CommandGroup } from "./commands";
import { dialogHead, openDialog } from "./dialog";
import { keyCaps } from "./keys";

export function openShortcuts(groups: CommandGroup[]): void {
  if (document.querySelector(".shortcuts")) return;
  openDialog(
    { label: "Keyboard shortcuts", class: "shortcuts" },
    dialogHead("Keyboard shortcuts"),
    el(
      "div",
      { class: "dialog-body shortcut-groups", tabindex: 0, role: "region", "aria-label": "Shortcuts" },
      ...groups.map(drawGroup),
    ),
  );
}

function drawGroup(group: CommandGroup): HTMLElement | null {
  const withKeys = group.commands.filter((command) => command.keys !== undefined);
  if (withKeys.length === 0) return null;
  return el(
    "section",
    {},
    el("h3", {}, group.title),
    el(
      "dl",
      {},
      ...withKeys.map((command) =>
        el(
          "div",
          {},
          el("dt", {}, command.label),
          el("dd", {}, ...keyCaps(command.keys ?? "").map((cap) => el("kbd", {}, cap))),
        ),
      ),
    ),
  );
}
