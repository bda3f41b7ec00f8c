/** The second factor: a code from an authenticator beside the password. */
import { el, fill } from "../dom";
import { textButton } from "../ui/button";
import { Form, field, passwordField } from "../ui/form";
import { confirmCode, enrol, removeSecondFactor } from "./api";
import { passwordComplaint } from "./password";
import { Section } from "./section";

const NOT_CHANGED = "Nothing was changed.";

export function secondFactorSection(has: boolean): HTMLElement {
  const body = el("div", { class: "steps" });
  const section = new Section("Second factor", body);
  const begin = (on: boolean, said = "") => {
    fill(body, ...(on ? ifOn(() => begin(false, "Signing in takes the password alone now.")) : ifOff(body, () => begin(true))));
    section.say(said);
  };
  begin(has);
  return section.element;
}

function codeField() {
  return field("Code", { autocomplete: "one-time-code", autocapitalize: "none", required: true, maxlength: 40 });
}

/** Step by step: the password, the picture, a code to prove that it works, and the codes for the day when it is lost. */
function ifOff(body: HTMLElement, done: () => void): HTMLElement[] {
  const password = passwordField("Password", "current");
  const form = new Form(
    {
      action: "Set up a second factor",
      submit: async () => showPicture(body, await enrol(password.input.value), done),
      explain: (error) => passwordComplaint(error, NOT_CHANGED),
    },
    password.element,
  );
  const why = "With a second factor, signing in also takes a code that an authenticator on your telephone shows. Whoever learns your password cannot sign in with it alone.";
  return [el("p", {}, why), form.element];
}

async function showPicture(body: HTMLElement, { secret, address }: { secret: string; address: string }, done: () => void): Promise<void> {
  const { drawCode } = await import("./qr");
  const code = codeField();
  const form = new Form(
    {
      action: "Confirm",
      submit: async () => showRecovery(body, await confirmCode(code.input.value.replaceAll(/\s/g, "")), done),
      explain: (error) => passwordComplaint(error, "It is not asked for yet."),
    },
    code.element,
  );
  fill(
    body,
    el("p", {}, "Take a picture of this with your authenticator, or type the secret into it. Then enter the code that it shows."),
    drawCode(address, "Picture for your authenticator"),
    el("p", {}, "Secret: ", el("code", { class: "secret" }, secret)),
    form.element,
  );
  code.input.focus();
}

function showRecovery(body: HTMLElement, codes: string[], done: () => void): void {
  const list = el("ul", { class: "recovery", "aria-label": "Recovery codes" }, ...codes.map((code) => el("li", {}, el("code", {}, code))));
  const copy = textButton({
    label: "Copy",
    icon: "copy",
    onClick: () =>
      void navigator.clipboard.writeText(codes.join("\n")).then(
        () => (copied.textContent = "Copied."),
        () => (copied.textContent = "The browser does not let pages copy: select the codes and copy them."),
      ),
  });
  const copied = el("p", { class: "done", role: "status" });
  fill(
    body,
    el(
      "p",
      { tabindex: -1 },
      el("strong", {}, "The second factor is on. "),
      "Keep these recovery codes where your telephone is not: each lets you in once without it. They are not shown again.",
    ),
    list,
    el("div", { class: "form-actions" }, copy, textButton({ label: "I have kept them", class: "primary", onClick: done })),
    copied,
  );
  body.querySelector<HTMLElement>("p")?.focus();
}

function ifOn(done: () => void): HTMLElement[] {
  const [password, code] = [passwordField("Password", "current"), codeField()];
  const form = new Form(
    {
      action: "Remove the second factor",
      danger: true,
      submit: async () => {
        await removeSecondFactor(password.input.value, code.input.value);
        done();
      },
      explain: (error) => passwordComplaint(error, "The second factor stays on."),
    },
    password.element,
    code.element,
  );
  return [
    el("p", {}, "The second factor is on: signing in takes a code as well."),
    el("details", {}, el("summary", {}, "Remove it"), form.element),
  ];
}
