/** Who one is on these pages: as a menu, as commands, and as what stands in the bar. */
import { explain } from "../api";
import { el, fill } from "../dom";
import { identity, type Entrance, type User } from "../identity";
import { COLORS, initials } from "../people";
import { settings } from "../settings";
import { signInPath } from "../sign-in/address";
import { textButton } from "./button";
import type { Command } from "./commands";
import { askName } from "./look";
import { attachMenu, type MenuEntry } from "./menu";
import { showToast } from "./toast";

/** How a page signs people in and leaves; the editor saves first, and signs in where it is. */
export interface PersonActions {
  signIn: () => void;
  /** Goes to another page, once nothing is lost by it; without a path it stays. */
  leave: (path: string) => Promise<void>;
}

/** Once it is known; what cannot be known yet is left out. */
let entrance: Entrance | undefined;

/** Has the menus know what there is to offer. Resolves when they do, and also when the server does not say. */
export async function learnEntrance(): Promise<void> {
  entrance = await identity.entrance().catch(() => undefined);
}

export function canSignIn(): boolean {
  return entrance?.sign_in === true && !identity.user;
}

export function personMenu(actions: PersonActions): MenuEntry[] {
  const { user } = identity;
  const name: MenuEntry = { label: `Your name: ${settings().name}`, icon: "name", run: () => void askName() };
  if (user)
    return [
      `#${user.name}${user.email === undefined ? "" : ` · ${user.email}`}`,
      { label: "Account", icon: "account", run: () => void actions.leave("/account") },
      { label: "Sign out", icon: "sign-out", run: () => void signOut(actions) },
    ];
  return canSignIn() ? [{ label: "Sign in", icon: "sign-in", run: actions.signIn }, name] : [name];
}

export function personCommands(actions: PersonActions): Command[] {
  if (identity.user)
    return [
      { label: "Account", icon: "account", run: () => void actions.leave("/account") },
      { label: "Sign out", icon: "sign-out", run: () => void signOut(actions) },
    ];
  const name: Command = { label: "Change your name", icon: "name", run: () => void askName() };
  return canSignIn() ? [{ label: "Sign in", icon: "sign-in", run: actions.signIn }, name] : [name];
}

/** On a page that loses nothing by being left. */
export const plainActions: PersonActions = {
  signIn: () => location.assign(signInPath()),
  leave: (path) => {
    if (path) location.assign(path);
    return Promise.resolve();
  },
};

async function signOut({ leave }: PersonActions): Promise<void> {
  try {
    await leave("");
    await identity.signOut();
    location.assign("/");
  } catch (error) {
    showToast({ text: explain(error, "You are still signed in."), fault: true });
  }
}

/** What stands in a bar: a way to sign in, or a face with a menu. It follows what changes. */
export function personPlace(actions: PersonActions): HTMLElement {
  const place = el("div", { class: "person-place" });
  const draw = () => fill(place, drawn(actions));
  draw();
  identity.onChange(draw);
  void learnEntrance().then(draw);
  return place;
}

function drawn(actions: PersonActions): HTMLElement | undefined {
  const { user } = identity;
  if (user) return face(user, actions);
  return canSignIn() ? textButton({ label: "Sign in", class: "quiet", onClick: actions.signIn }) : undefined;
}

function face(user: User, actions: PersonActions): HTMLElement {
  const badge = el("span", { class: "badge", "aria-hidden": "true" }, initials(user.name));
  badge.style.setProperty("--person", `var(--person-${(user.id.charCodeAt(user.id.length - 1) % COLORS) + 1})`);
  const button = el(
    "button",
    { type: "button", class: "person", "aria-label": `${user.name}: your account`, title: user.name },
    badge,
  );
  attachMenu(button, "Your account", () => personMenu(actions));
  return button;
}
