/** Share links: made, shown once, and ended. */
import type { Role } from "@quire/client";
import { el, fill, type Child } from "../dom";
import { editorPath } from "../documents/entry";
import { addressWith } from "../editor/share-link";
import { ago, exactly } from "../time";
import { textButton } from "../ui/button";
import { select } from "../ui/form";
import type { ShareLink } from "./api";
import type { Scene } from "./dialog";
import { ROLE_CHOICES, SPANS, endOf, mayText, untilText, type Span } from "./roles";

export function linksSection(scene: Scene, links: ShareLink[]): Child[] {
  const list = el("ul", { class: "share-list" }, ...links.map((link) => linkRow(scene, link)));
  return [
    el("h3", {}, "Share links"),
    el("p", { class: "hint" }, "Whoever has such a link may do what it says, without an account, until it ends or is revoked."),
    list,
    maker(scene, list),
  ];
}

function linkRow(scene: Scene, { id, role, made_at: at, expires_at: until }: ShareLink): HTMLElement {
  const what = `Link: ${mayText(role)}`;
  const revoke = () => {
    const act = () => scene.sharing.revokeLink(id);
    void scene
      .attempt(act, "The link is revoked.", "The link is good still.")
      .then((done) => void (done && scene.refresh()));
  };
  return el(
    "li",
    { class: "share-row" },
    el(
      "span",
      { class: "share-name" },
      el("span", {}, what),
      el(
        "span",
        { class: "share-detail", title: exactly(at) },
        `made ${ago(at)}${until === undefined ? "" : `, ${untilText(until)}`}`,
      ),
    ),
    textButton({ label: "Revoke", onClick: revoke }),
  );
}

function maker(scene: Scene, list: HTMLElement): HTMLElement {
  const role = select<Role>("What the link is good for", ROLE_CHOICES, "viewer");
  const span = select<Span>("How long the link is good", SPANS, "168");
  const made = el("div", { class: "share-made" });
  const make = async () => {
    let address = "";
    const act = async () => {
      const token = await scene.sharing.makeLink(role.value as Role, endOf(span.value as Span));
      address = addressWith(location.origin + editorPath(scene.id), token);
    };
    if (!(await scene.attempt(act, "The link is made.", "No link was made."))) return;
    fill(made, ...shown(address));
    made.querySelector<HTMLElement>("button")?.focus();
    // The field with the new link has to stay, so the list alone is drawn anew.
    const links = await scene.sharing.links().catch(() => undefined);
    if (links) fill(list, ...links.map((link) => linkRow(scene, link)));
  };
  return el(
    "div",
    {},
    el(
      "div",
      { class: "share-terms" },
      role,
      span,
      textButton({ label: "Create a link", icon: "link", onClick: () => void make() }),
    ),
    made,
  );
}

/** The only time that the link is seen. */
function shown(address: string): Child[] {
  const text = el("input", { class: "field", readonly: true, value: address, "aria-label": "The new link" });
  const told = el("p", { class: "hint", role: "status" }, "Copy it now: it is not shown again.");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(address);
      told.textContent = "Copied. It is not shown again.";
    } catch {
      text.select();
      told.textContent = "Selected: copy it with the keyboard. It is not shown again.";
    }
  };
  return [
    el("div", { class: "share-terms" }, text, textButton({ label: "Copy", icon: "copy", onClick: () => void copy() })),
    told,
  ];
}
