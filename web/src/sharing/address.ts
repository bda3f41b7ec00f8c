/** What whoever has the address may do. */
import { el, type Child } from "../dom";
import { select } from "../ui/form";
import type { Shared } from "./api";
import type { Scene } from "./dialog";
import { ADDRESS_CHOICES } from "./roles";

export function addressSection(scene: Scene, shared: Shared): Child[] {
  const unowned = shared.owner.startsWith("guest:");
  // Nobody would be left who could open it.
  const choices = unowned ? ADDRESS_CHOICES.filter(([value]) => value !== "none") : ADDRESS_CHOICES;
  const before = shared.link ?? "none";
  const choice = select<string>("What whoever has the address may do", choices, before);
  choice.addEventListener("change", () => {
    const act = () => scene.sharing.setAddress(choice.value);
    void scene
      .attempt(act, "What the address is good for has changed.", "The address is good for what it was.")
      .then((done) => (done ? scene.refresh() : void (choice.value = before)));
  });
  return [
    el("h3", {}, "The address"),
    el(
      "div",
      { class: "share-row" },
      el("span", { class: "share-name" }, "Whoever has the address of this page may"),
      choice,
    ),
  ];
}
