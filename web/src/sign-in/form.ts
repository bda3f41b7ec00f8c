/** Signing in: address and password, a code when one is asked for, and the ways to an account and to a new password. */
import { explain } from "../api";
import { el, fill, type Child } from "../dom";
import { identity, type Entrance } from "../identity";
import { RequestFailed } from "../request";
import { Form, field, passwordField } from "../ui/form";
import { forgetPassword, listProviders, providerPath, register } from "./calls";

export interface SignInOptions {
  /** Somebody has signed in. */
  done: () => void;
  /** Where another provider comes back to. */
  to: string;
  /** Whether that happens in another window, since this page has something to keep. */
  apart: boolean;
  /** Tells what is shown, for a heading. */
  title: (text: string) => void;
}

export class SignIn {
  readonly element = el("div", { class: "sign-in" });
  private readonly email = field("Email address", {
    type: "email",
    autocomplete: "username",
    autocapitalize: "none",
    required: true,
    maxlength: 254,
  });

  constructor(
    private readonly entrance: Entrance,
    private readonly options: SignInOptions,
  ) {
    this.showSignIn();
  }

  focus(): void {
    this.element.querySelector<HTMLElement>("input, a, button")?.focus();
  }

  private show(title: string, ...children: Child[]): void {
    this.options.title(title);
    fill(this.element, ...children);
  }

  private showSignIn(): void {
    const password = passwordField("Password", "current");
    const code = field(
      "Code",
      { type: "text", autocomplete: "one-time-code", autocapitalize: "none", maxlength: 40 },
      "From your authenticator, or one of your recovery codes.",
    );
    code.element.hidden = true;
    const form = new Form(
      {
        action: "Sign in",
        submit: async () => {
          await identity.signIn(this.email.input.value, password.input.value, code.input.value.trim() || undefined);
          this.options.done();
        },
        explain: (error) => {
          if (!(error instanceof RequestFailed) || !error.wantsCode) return complaint(error);
          const asked = code.element.hidden;
          code.element.hidden = false;
          code.input.required = true;
          code.input.focus();
          return asked ? "" : "This code is wrong, or was used before. Wait for the next one.";
        },
      },
      this.email.element,
      password.element,
      code.element,
    );
    const others = el("div", { class: "providers" });
    this.show(
      "Sign in",
      this.entrance.sign_in && form.element,
      others,
      el(
        "p",
        { class: "ways" },
        this.entrance.sign_in && way("Forgot your password?", () => this.showForgotten()),
        this.entrance.registration && way("Make an account", () => this.showRegister()),
      ),
    );
    this.focus();
    void this.addProviders(others);
  }

  private async addProviders(place: HTMLElement): Promise<void> {
    const { to, apart } = this.options;
    const providers = await listProviders();
    fill(
      place,
      ...providers.map((provider) =>
        el(
          "a",
          { class: "button", href: providerPath(provider, to), ...(apart && { target: "_blank", rel: "noopener" }) },
          `Sign in with ${provider.label}`,
        ),
      ),
    );
  }

  private showRegister(): void {
    const name = field("Name", { autocomplete: "name", required: true, maxlength: 100 }, "Others see it beside your caret.");
    const password = passwordField("Password", "new");
    const form = new Form(
      {
        action: "Make the account",
        submit: async () => {
          const account = { email: this.email.input.value, password: password.input.value };
          await register({ ...account, name: name.input.value });
          await identity.signIn(account.email, account.password);
          this.options.done();
        },
        explain: (error) =>
          // It says nothing of accounts that there are: the password does.
          error instanceof RequestFailed && error.status === 401
            ? "There is an account with this address already, with another password. Sign in with that, or set a new one."
            : complaint(error, "No account was made."),
      },
      name.element,
      this.email.element,
      password.element,
    );
    this.show("Make an account", form.element, this.back());
    this.focus();
  }

  private showForgotten(): void {
    const form = new Form(
      {
        action: "Send a mail",
        submit: async () => {
          await forgetPassword(this.email.input.value);
          this.show(
            "Look into your mail",
            el(
              "p",
              { role: "status", tabindex: -1 },
              `If there is an account for ${this.email.input.value}, a mail is on its way. Within an hour, what is in it sets a new password.`,
            ),
            el("p", { class: "ways" }, el("a", { href: "/reset" }, "I have a code from a mail")),
            this.back(),
          );
          this.element.querySelector<HTMLElement>("[role=status]")?.focus();
        },
        explain: (error) => complaint(error, "No mail was sent."),
      },
      el("p", { class: "hint" }, "A mail with what it takes to set a new password is sent to the address of your account."),
      this.email.element,
    );
    this.show("Set a new password", form.element, this.back());
    this.focus();
  }

  private back(): HTMLElement {
    return el(
      "p",
      { class: "ways" },
      way("Back to signing in", () => this.showSignIn()),
    );
  }
}

function way(label: string, go: () => void): HTMLElement {
  return el("button", { type: "button", class: "link-button", on: { click: go } }, label);
}

/** Why nobody was signed in. */
export function complaint(error: unknown, kept = "You are not signed in."): string {
  if (!(error instanceof RequestFailed)) return explain(error, kept);
  if (error.status === 401) return "The address or the password is wrong.";
  if (error.status === 429) {
    const seconds = Math.ceil((error.retryAfter ?? 1_000) / 1_000);
    return `Too many attempts. Wait ${seconds} s and try again.`;
  }
  return explain(error, kept);
}
