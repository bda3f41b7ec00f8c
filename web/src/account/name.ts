/** The name that others see, and what else says who one is. */
import { explain } from "../api";
import { el } from "../dom";
import { identity } from "../identity";
import { textButton } from "../ui/button";
import { Form, field } from "../ui/form";
import { rename, type Me } from "./api";
import { Section } from "./section";

export function nameSection(me: Me): HTMLElement {
  const name = field(
    "Name",
    { autocomplete: "name", required: true, maxlength: 100, value: me.name ?? "" },
    "Others see it beside your caret, and where something is shared with you.",
  );
  const form = new Form(
    {
      action: "Save the name",
      submit: async () => {
        await rename(name.input.value);
        // The name is in the token.
        await identity.renew();
        section.say("The name is saved.");
      },
      explain: (error) => explain(error, "You keep the name that you had."),
    },
    name.element,
  );
  const copied = async () => {
    await navigator.clipboard.writeText(me.id).then(
      () => section.say("The user id is copied."),
      () => section.say("The browser does not let pages copy: select the user id and copy it."),
    );
  };
  const section = new Section(
    "You",
    el(
      "dl",
      { class: "facts" },
      me.email !== undefined && el("div", {}, el("dt", {}, "Email address"), el("dd", {}, me.email)),
      el(
        "div",
        {},
        el("dt", {}, "User id"),
        el("dd", {}, el("code", {}, me.id), textButton({ label: "Copy", icon: "copy", onClick: () => void copied() })),
      ),
    ),
    el("p", { class: "hint" }, "Give your user id to those who want to share a document with you."),
    form.element,
  );
  return section.element;
}
