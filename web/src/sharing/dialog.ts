/** Who may do what with the open document: seen by everybody, changed by whoever may share it. */
import type { Peer, UserInfo } from "@quire/client";
import { explain } from "../api";
import { el, fill, setText, type Child } from "../dom";
import type { Access } from "../editor/access";
import { identity } from "../identity";
import { badge, colorOf } from "../people";
import { dialogHead, openDialog } from "../ui/dialog";
import { addressSection } from "./address";
import { Sharing, listGroups, type Group } from "./api";
import { linksSection } from "./links";
import { ownerSection } from "./owner";
import { peopleSection } from "./people";
import { addressText, mayText } from "./roles";

export interface ShareOptions {
  id: string;
  title: string;
  access: Access;
  /** Who has the document open. */
  here: () => { you: UserInfo | undefined; peers: readonly Peer[] };
}

/** What the sections share. */
export interface Scene extends ShareOptions {
  sharing: Sharing;
  groups: readonly Group[];
  /** Does something; says so when it is done, or why not. Resolves with whether it was done. */
  attempt: (act: () => Promise<void>, done: string, kept: string) => Promise<boolean>;
  /** Shows everything anew, as the server has it. The focus stays where it is if that is still there. */
  refresh: () => Promise<void>;
}

/** Opens the dialog, and resolves once it is closed. */
export function openSharing(options: ShareOptions): Promise<void> {
  return new Promise((resolve) => {
    const said = el("p", { class: "visually-hidden", role: "status" });
    const fault = el("p", { class: "fault", role: "alert" });
    const body = el("div", { class: "share-body" });
    openDialog(
      { label: "Share", class: "share", onClose: resolve },
      dialogHead(`Share “${options.title}”`),
      el("div", { class: "dialog-body" }, fault, body, said),
    );
    const attempt: Scene["attempt"] = async (act, done, kept) => {
      setText(fault, "");
      try {
        await act();
        setText(said, done);
        return true;
      } catch (error) {
        setText(fault, explain(error, kept));
        return false;
      }
    };
    void show({ ...options, sharing: new Sharing(options.id), groups: [], attempt, refresh: () => Promise.resolve() }, body);
  });
}

async function show(scene: Scene, body: HTMLElement): Promise<void> {
  const { access } = scene;
  fill(body, el("p", { class: "hint" }, "Asking who has access…"));
  if (!access.known) {
    const ask = async () => {
      await access.ask();
    };
    await scene.attempt(ask, "", "Nothing was changed.");
  }
  if (!access.allows("share")) {
    fill(body, ...seenByOthers(scene));
    return;
  }
  // Groups are a help: without them ids have to do.
  const groups = identity.user ? await listGroups().catch(() => []) : [];
  const whole: Scene = { ...scene, groups, refresh: () => draw(whole, body) };
  await draw(whole, body);
}

async function draw(scene: Scene, body: HTMLElement): Promise<void> {
  await scene.attempt(
    async () => {
      const [shared, links] = await Promise.all([scene.sharing.everybody(), scene.sharing.links()]);
      const focused = focusedLabel(body);
      fill(
        body,
        ...peopleSection(scene, shared),
        ...addressSection(scene, shared),
        ...linksSection(scene, links),
        ...ownerSection(scene, shared),
      );
      if (focused !== undefined) focusAgain(body, focused);
    },
    "",
    "Who has access could not be asked.",
  );
}

function focusedLabel(body: HTMLElement): string | undefined {
  const { activeElement } = document;
  if (!activeElement || !body.contains(activeElement)) return undefined;
  return activeElement.getAttribute("aria-label") ?? activeElement.textContent;
}

/** What was there may be gone by what was done with it; then the dialog goes on at its first field. */
function focusAgain(body: HTMLElement, label: string): void {
  const stops = [...body.querySelectorAll<HTMLElement>("button, select, input")];
  const same = stops.find((stop) => (stop.getAttribute("aria-label") ?? stop.textContent) === label);
  (same ?? stops[0])?.focus();
}

/** Whoever may not share sees what they may do, what the address is good for, and who is here. */
function seenByOthers({ access, here }: Scene): Child[] {
  const { you, peers } = here();
  const known = new Map([you, ...peers.map(({ user }) => user)].filter((user) => user !== undefined).map((user) => [user.id, user]));
  const owner = access.owner === undefined ? undefined : known.get(access.owner);
  return [
    el("h3", {}, "You"),
    el("p", {}, access.role === null ? "You have access by a link." : `You ${mayText(access.role)}.`),
    el("h3", {}, "The address"),
    el("p", {}, addressText(access.link)),
    el("h3", {}, "Here now"),
    el(
      "ul",
      { class: "share-list" },
      ...[...known.values()].map((user) =>
        el(
          "li",
          { class: "share-row" },
          badge(user, colorOf(user)),
          el("span", { class: "share-name" }, user.name, user.id === you?.id && " (you)", user === owner && ", owner"),
        ),
      ),
    ),
    el("p", { class: "hint" }, "The owner says who has access. Ask them if somebody should have more."),
  ];
}
