/** `/reset`: a new password, with what a mail has brought. It is in the fragment, which no server is sent. */
import { el, fill } from "../dom";
import { identity } from "../identity";
import { RequestFailed } from "../request";
import { Form, field, passwordField } from "../ui/form";
import { pageBar } from "../ui/page-bar";
import { resetPassword } from "./calls";
import { complaint } from "./form";

export function showReset(root: HTMLElement): void {
  document.title = "Set a new password · quire";
  const brought = decodeURIComponent(location.hash.slice(1));
  // The address is shown, and kept by the browser.
  history.replaceState(null, "", location.pathname);
  const code = field("Code from the mail", { autocomplete: "off", required: true, value: brought });
  code.element.hidden = brought !== "";
  const password = passwordField("New password", "new");
  const form = new Form(
    {
      action: "Set the password",
      submit: async () => {
        await resetPassword(code.input.value.trim(), password.input.value);
        identity.forget();
        fill(
          body,
          el("p", { role: "status", tabindex: -1 }, "The new password holds. You are signed out everywhere; sign in with it."),
          el("a", { class: "button primary", href: "/sign-in" }, "Sign in"),
        );
        body.querySelector<HTMLElement>("a")?.focus();
      },
      explain: (error) => {
        if (!(error instanceof RequestFailed) || error.status !== 401) return complaint(error, "The old password holds.");
        code.element.hidden = false;
        return "This code is not good, or not any more. Have another mail sent: “Forgot your password?”";
      },
    },
    code.element,
    password.element,
  );
  const body = el("div", {}, form.element, el("p", { class: "ways" }, el("a", { href: "/sign-in" }, "Back to signing in")));
  fill(root, pageBar(), el("main", { class: "narrow" }, el("h1", {}, "Set a new password"), body));
  (brought === "" ? code : password).input.focus();
}
