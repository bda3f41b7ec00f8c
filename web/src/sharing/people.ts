/** People and groups with access of their own: their roles, until when, and somebody more. */
import type { Role } from "@quire/client";
import { el, type Child } from "../dom";
import { identity } from "../identity";
import { COLORS, badge } from "../people";
import { iconButton, textButton } from "../ui/button";
import { field, select } from "../ui/form";
import type { Grant, Shared } from "./api";
import type { Scene } from "./dialog";
import { ROLE_CHOICES, SPANS, endOf, mayText, untilText, type Span } from "./roles";

export function peopleSection(scene: Scene, shared: Shared): Child[] {
  const owned = !shared.owner.startsWith("guest:");
  return [
    el("h3", {}, "People with access"),
    el(
      "ul",
      { class: "share-list" },
      owned && ownerRow(shared),
      ...shared.permissions.map((grant) => grantRow(scene, grant)),
      !owned && el("li", { class: "share-row" }, el("span", { class: "share-name" }, "A guest has made this document: it belongs to nobody.")),
    ),
    adder(scene, shared),
  ];
}

function ownerRow({ owner, owner_name: name = owner }: Shared): HTMLElement {
  return el(
    "li",
    { class: "share-row" },
    face(owner, name),
    nameOf(name, owner, owner === identity.user?.id),
    el("span", { class: "share-role" }, "Owner"),
  );
}

function grantRow(scene: Scene, grant: Grant): HTMLElement {
  const { subject, role, expires_at: until } = grant;
  const name = nameOfSubject(scene, grant);
  const choice = select<Role>(
    `What ${name} may do`,
    // One above those that are given here can have been given by other means.
    role === "owner" ? [...ROLE_CHOICES, ["owner", "Like an owner"]] : ROLE_CHOICES,
    role,
  );
  choice.addEventListener("change", () => {
    const wanted = choice.value as Role;
    const change = () => scene.sharing.grant(subject, wanted, until);
    void scene
      .attempt(change, `${name} ${mayText(wanted)} now.`, `${name} ${mayText(role)}, as before.`)
      .then((done) => (done ? scene.refresh() : void (choice.value = role)));
  });
  const remove = () => {
    const act = () => scene.sharing.revoke(subject);
    void scene
      .attempt(act, `${name} has no access of their own any more.`, `${name} has access still.`)
      .then((done) => void (done && scene.refresh()));
  };
  return el(
    "li",
    { class: "share-row" },
    face(subject, name),
    nameOf(name, subject, subject === identity.user?.id, until),
    choice,
    iconButton({ icon: "close", label: `Remove ${name}`, onClick: remove }),
  );
}

/** Somebody who is here is one press away; others are named by their id. */
function adder(scene: Scene, shared: Shared): HTMLElement {
  const id = field(
    "Add by user id",
    { autocomplete: "off", autocapitalize: "none", maxlength: 200, required: true, placeholder: "usr_…" },
    "Everybody finds theirs on their account page. Somebody without an account gets a share link, below.",
  );
  const role = select<Role>("What they may do", ROLE_CHOICES, "editor");
  const span = select<Span>("For how long", SPANS, "");
  const add = async (subject: string, name: string) => {
    const act = () => scene.sharing.grant(subject, role.value as Role, endOf(span.value as Span));
    const done = await scene.attempt(act, `${name} ${mayText(role.value as Role)} now.`, "Nobody was added.");
    if (done) await scene.refresh();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    const subject = id.input.value.trim();
    if (subject !== "") void add(subject, subject);
  };
  const button = el("button", { class: "button", type: "submit" }, "Add");
  return el(
    "form",
    { class: "share-add", on: { submit } },
    id.element,
    el("div", { class: "share-terms" }, role, span, button),
    el(
      "div",
      { class: "share-suggestions" },
      ...suggestions(scene, shared).map(({ subject, name }) =>
        textButton({ label: `Add ${name}`, icon: "new", onClick: () => void add(subject, name) }),
      ),
    ),
  );
}

function suggestions(scene: Scene, shared: Shared): { subject: string; name: string }[] {
  const has = new Set([shared.owner, identity.user?.id, ...shared.permissions.map(({ subject }) => subject)]);
  const people = new Map(
    scene
      .here()
      .peers.filter(({ user }) => !user.id.startsWith("guest:"))
      .map(({ user }) => [user.id, user.name]),
  );
  const groups = scene.groups.map(({ id, name }) => ({ subject: `group:${id}`, name: `the group “${name}”` }));
  return [...[...people].map(([subject, name]) => ({ subject, name })), ...groups].filter(({ subject }) => !has.has(subject));
}

function nameOfSubject({ groups }: Scene, { subject, name }: Grant): string {
  const group = groups.find(({ id }) => subject === `group:${id}`);
  if (group) return `Group “${group.name}”`;
  return name ?? (subject.startsWith("group:") ? "A group" : subject);
}

function nameOf(name: string, id: string, you: boolean, until?: number): HTMLElement {
  const detail = [name === id ? "" : id, until === undefined ? "" : untilText(until)].filter(Boolean).join(", ");
  return el(
    "span",
    { class: "share-name" },
    el("span", {}, you ? `${name} (you)` : name),
    detail && el("span", { class: "share-detail", title: detail }, detail),
  );
}

function face(id: string, name: string): HTMLElement {
  const drawn = badge({ id, name, color: "" }, `var(--person-${(id.charCodeAt(id.length - 1) % COLORS) + 1})`);
  drawn.setAttribute("aria-hidden", "true");
  return drawn;
}
