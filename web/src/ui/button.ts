/** Buttons of the chrome. */
import { el } from "../dom";
import { icon, type IconName } from "./icons";
import { ariaKeys, keyText } from "./keys";

export interface ButtonOptions {
  label: string;
  icon?: IconName;
  /** Shortcut, as keys.ts writes them. */
  keys?: string;
  class?: string;
  onClick: (event: MouseEvent) => void;
}

/** A square button with an icon; its label is the tooltip and what screen readers say. */
export function iconButton(options: ButtonOptions & { icon: IconName }): HTMLButtonElement {
  return el(
    "button",
    {
      type: "button",
      class: `icon-button ${options.class ?? ""}`,
      "aria-label": options.label,
      "aria-keyshortcuts": options.keys && ariaKeys(options.keys),
      title: options.keys ? `${options.label} (${keyText(options.keys)})` : options.label,
      on: { click: options.onClick },
    },
    icon(options.icon),
  );
}

/** A button with a word on it. */
export function textButton(options: ButtonOptions): HTMLButtonElement {
  return el(
    "button",
    { type: "button", class: `button ${options.class ?? ""}`, on: { click: options.onClick } },
    options.icon && icon(options.icon),
    el("span", {}, options.label),
  );
}
