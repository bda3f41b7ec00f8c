/** Giving a document to another owner. */
import { el, type Child } from "../dom";
import { identity } from "../identity";
import { askText, confirm } from "../ui/dialog";
import { textButton } from "../ui/button";
import type { Shared } from "./api";
import type { Scene } from "./dialog";

export function ownerSection(scene: Scene, shared: Shared): Child[] {
  if (!scene.access.allows("transfer") || !identity.user) return [];
  return [
    el("h3", {}, "Owner"),
    el(
      "div",
      { class: "share-row" },
      el("span", { class: "share-name" }, "The owner says who has access, and can delete the document for good."),
      textButton({ label: "Give to somebody else", onClick: () => void give(scene, shared) }),
    ),
  ];
}

async function give(scene: Scene, shared: Shared): Promise<void> {
  const users = shared.permissions.filter(({ subject }) => !subject.startsWith("group:"));
  const [only] = users;
  const to = await askText({
    title: "Give the document to somebody else",
    label: "User id of the new owner",
    value: users.length === 1 && only ? only.subject : "",
    hint: "The user id of the new owner, as it is on their account page.",
    action: "Go on",
    maxLength: 200,
  });
  if (!to) return;
  const name = users.find(({ subject }) => subject === to)?.name ?? to;
  const mine = shared.owner === identity.user?.id;
  const sure = await confirm({
    title: `Give the document to ${name}?`,
    text: `${name} says from then on who has access${mine ? ". You stay an editor, and cannot take the document back yourself." : "; the owner until now stays an editor."}`,
    action: "Give",
  });
  if (!sure) return;
  const done = await scene.attempt(
    () => scene.sharing.giveTo(to),
    `The document belongs to ${name} now.`,
    "The document keeps its owner.",
  );
  if (!done) return;
  await scene.access.ask().catch(() => undefined);
  if (scene.access.allows("share")) await scene.refresh();
  else document.querySelector<HTMLDialogElement>("dialog.share")?.close();
}
