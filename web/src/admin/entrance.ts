/** Asks for the token of an administrator. It is kept until the tab is closed, and goes nowhere but to this server. */
import { el, setText } from "../dom";
import { signInPath } from "../sign-in/address";

const KEY = "quire.admin";

export function keptToken(): string | undefined {
  return sessionStorage.getItem(KEY) ?? undefined;
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}

/** Shows the form, and a way to sign in instead if `signIn` says that there is one; `enter` gets what was typed and says why it does not open, if it does not. */
export function entrance(
  enter: (token: string) => Promise<string | undefined>,
  { why = "", signIn = false }: { why?: string | undefined; signIn?: boolean },
): HTMLElement {
  const field = el("input", {
    class: "field",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": "Token of an administrator",
    required: true,
  });
  const fault = el("p", { class: "fault", role: "alert" }, why);
  const submit = (event: Event) => {
    event.preventDefault();
    const token = field.value.trim();
    void enter(token).then((reason) => {
      if (reason === undefined) sessionStorage.setItem(KEY, token);
      else setText(fault, reason);
    });
  };
  return el(
    "form",
    { class: "entrance", on: { submit } },
    el("h1", {}, "Administration"),
    signIn && el("a", { class: "button", href: signInPath("/admin") }, "Sign in as an administrator"),
    el("p", { class: "hint" }, "Enter the token of an administrator. It is kept until this tab is closed."),
    field,
    fault,
    el("button", { class: "button primary", type: "submit" }, "Enter"),
  );
}
