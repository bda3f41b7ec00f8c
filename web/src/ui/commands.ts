/** What can be done on a page: one list that the palette, the shortcut list and the keyboard share. */
import { matches } from "./keys";
import type { IconName } from "./icons";

export interface Command {
  label: string;
  icon: IconName;
  /** Shortcut, handled by `listen` unless `elsewhere` says that another part of the page does so already. */
  keys?: string;
  elsewhere?: boolean;
  /** Where the focus has to be for the shortcut to act; anywhere if it is left out. */
  within?: HTMLElement;
  /** Left out of the palette, where it would make no sense. */
  hidden?: boolean;
  run: () => void;
}

/** A titled group, in the order in which it is shown. */
export interface CommandGroup {
  title: string;
  commands: Command[];
}

/** Runs commands by their shortcuts, for as long as the page lives. */
export function listen(groups: () => CommandGroup[]): void {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    const all = groups().flatMap((group) => group.commands);
    const { target } = event;
    const command = all.find(
      ({ keys, elsewhere, within }) =>
        keys && !elsewhere && matches(event, keys) && (!within || (target instanceof Node && within.contains(target))),
    );
    if (!command) return;
    event.preventDefault();
    command.run();
  });
}
