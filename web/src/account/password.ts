/** A new password. */
import { explain } from "../api";
import { RequestFailed } from "../request";
import { Form, passwordField } from "../ui/form";
import { changePassword } from "./api";
import { Section } from "./section";

export function passwordSection(): HTMLElement {
  const [old, fresh] = [passwordField("Password until now", "current"), passwordField("New password", "new")];
  const form = new Form(
    {
      action: "Change the password",
      submit: async () => {
        await changePassword(old.input.value, fresh.input.value);
        old.input.value = fresh.input.value = "";
        section.say("The new password holds. All your other sign-ins have ended.");
      },
      explain: (error) => passwordComplaint(error, "The old password holds."),
    },
    old.element,
    fresh.element,
  );
  const section = new Section("Password", form.element);
  return section.element;
}

/** Why a password was not taken, or a code. */
export function passwordComplaint(error: unknown, kept: string): string {
  if (error instanceof RequestFailed && error.status === 403) {
    const code = error.message.includes("code");
    return `${code ? "The code is wrong, or was used before." : "The password is wrong."} ${kept}`;
  }
  return explain(error, kept);
}
