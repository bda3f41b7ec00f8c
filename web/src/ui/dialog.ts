/**
 * Modal layers on the browser's own <dialog>: it makes the rest of the page inert, closes the top one on Esc,
 * and gives the focus back to where it was.
 */
import { el, type Child } from "../dom";
import { iconButton } from "./button";

export interface Dialog {
  readonly element: HTMLDialogElement;
  close(): void;
}

/** Opens a dialog; a click beside it closes it. `onClose` runs once, however it was closed. */
export function openDialog(
  options: { label: string; class?: string; onClose?: () => void },
  ...children: Child[]
): Dialog {
  const element = el("dialog", { class: `dialog ${options.class ?? ""}`, "aria-label": options.label }, ...children);
  const close = () => element.close();
  element.addEventListener("click", (event) => {
    if (event.target === element) close();
  });
  element.addEventListener("close", () => {
    element.remove();
    options.onClose?.();
  });
  document.body.append(element);
  element.showModal();
  return { element, close };
}

/** The head of a dialog that is read: its title and a button that closes it. */
export function dialogHead(title: string): HTMLElement {
  return el(
    "header",
    { class: "dialog-head" },
    el("h2", {}, title),
    iconButton({
      icon: "close",
      label: "Close",
      onClick: (event) => {
        if (event.target instanceof Element) event.target.closest("dialog")?.close();
      },
    }),
  );
}

/** Asks for one line of text. Resolves with it, or with `undefined` when the person thought better of it. */
export function askText(options: {
  title: string;
  label: string;
  value: string;
  hint?: string;
  action: string;
  maxLength: number;
  type?: "text" | "url";
}): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer: string | undefined;
    const input = el("input", {
      class: "field",
      type: options.type === "url" ? "text" : (options.type ?? "text"),
      inputmode: options.type === "url" ? "url" : undefined,
      value: options.value,
      maxlength: options.maxLength,
      "aria-label": options.label,
      autofocus: true,
      autocomplete: "off",
      spellcheck: "false",
    });
    const submit = (event: Event) => {
      event.preventDefault();
      answer = input.value.trim();
      dialog.close();
    };
    const dialog = openDialog(
      { label: options.title, onClose: () => resolve(answer) },
      dialogHead(options.title),
      el(
        "form",
        { class: "dialog-body", on: { submit } },
        input,
        options.hint !== undefined && el("p", { class: "hint" }, options.hint),
        el(
          "div",
          { class: "dialog-actions" },
          el("button", { class: "button primary", type: "submit" }, options.action),
        ),
      ),
    );
    input.select();
  });
}

/** Asks whether something is to be done. Resolves with `true` only when the person says so. */
export function confirm(options: { title: string; text: string; action: string }): Promise<boolean> {
  return new Promise((resolve) => {
    let sure = false;
    const act = () => {
      sure = true;
      dialog.close();
    };
    const dialog = openDialog(
      { label: options.title, onClose: () => resolve(sure) },
      dialogHead(options.title),
      el(
        "div",
        { class: "dialog-body" },
        el("p", {}, options.text),
        el(
          "div",
          { class: "dialog-actions" },
          el("button", { class: "button", type: "button", autofocus: true, on: { click: () => dialog.close() } }, "Cancel"),
          el("button", { class: "button primary", type: "button", on: { click: act } }, options.action),
        ),
      ),
    );
  });
}
