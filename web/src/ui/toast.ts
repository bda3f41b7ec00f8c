/** Short messages at the foot of the page, which may offer to take back what was just done. */
import { el } from "../dom";
import { iconButton } from "./button";

export interface Toast {
  text: string;
  action?: { label: string; run: () => void };
  /** Faults stay until they are closed. */
  fault?: boolean;
}

/** How long a message stays, in ms: long enough to read it and reach for Undo. */
const STAY = 8_000;
/** More than these would cover the page; the oldest goes, and twice as many are there at most. */
const MOST = 3;

const region = el("div", { class: "toasts", role: "status", "aria-live": "polite" });

/** Shows a message. While the pointer or the focus is on it, its time stands still. */
export function showToast(toast: Toast): void {
  if (!region.isConnected) document.body.append(region);
  // One that stays says it once, however often it happens.
  if (toast.fault && [...region.children].some((shown) => shown.firstElementChild?.textContent === toast.text)) return;
  const element = el("div", { class: toast.fault ? "toast fault" : "toast" }, el("span", {}, toast.text));
  const { action } = toast;
  if (action) {
    const run = () => {
      element.remove();
      action.run();
    };
    element.append(el("button", { type: "button", class: "toast-action", on: { click: run } }, action.label));
  }
  element.append(iconButton({ icon: "close", label: "Close this message", onClick: () => element.remove() }));
  region.append(element);
  makeRoom();
  if (!toast.fault) leaveAfter(element, STAY);
}

/** One that offers to take something back goes last: nothing else on the page does. */
function makeRoom(): void {
  while (region.children.length > MOST) {
    const all = [...region.children].slice(0, -1);
    const goes = all.find((toast) => !toast.querySelector(".toast-action")) ?? (all.length >= 2 * MOST ? all[0] : undefined);
    if (!goes) return;
    goes.remove();
  }
}

function leaveAfter(element: HTMLElement, stay: number): void {
  let timer = 0;
  const stop = () => clearTimeout(timer);
  const start = () => {
    stop();
    timer = window.setTimeout(() => element.remove(), stay);
  };
  element.addEventListener("pointerenter", stop);
  element.addEventListener("pointerleave", start);
  element.addEventListener("focusin", stop);
  element.addEventListener("focusout", start);
  start();
}
