/** Forms: fields with labels above them, one place for what went wrong, and a button that waits for the answer. */
// Whatever these styles are for has a form in it.
import "../styles/people.css";
import { el, setText, type Attributes, type Child } from "../dom";

/** Passwords have at least so many characters; the server says so too. */
export const PASSWORD_LENGTH = 10;

export interface Field {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
}

let fields = 0;

/** A field with its label above, and a hint below if there is one. */
export function field(label: string, attributes: Attributes, hint?: string): Field {
  const id = `field-${(fields += 1)}`;
  const hinted = hint === undefined ? {} : { "aria-describedby": `${id}-hint` };
  const input = el("input", { id, class: "field", spellcheck: "false", ...hinted, ...attributes });
  const element = el(
    "div",
    { class: "form-field" },
    el("label", { for: id }, label),
    input,
    hint !== undefined && el("p", { class: "hint", id: `${id}-hint` }, hint),
  );
  return { element, input };
}

export function passwordField(label: string, kind: "current" | "new"): Field {
  return field(
    label,
    {
      type: "password",
      autocomplete: `${kind}-password`,
      required: true,
      maxlength: 256,
      ...(kind === "new" && { minlength: PASSWORD_LENGTH }),
    },
    kind === "new" ? `At least ${PASSWORD_LENGTH} characters.` : undefined,
  );
}

/** A choice of several values. */
export function select<T extends string>(
  label: string,
  choices: readonly (readonly [value: T, label: string])[],
  value: T,
): HTMLSelectElement {
  const element = el(
    "select",
    { class: "field select", "aria-label": label },
    ...choices.map(([each, text]) => el("option", { value: each }, text)),
  );
  element.value = value;
  return element;
}

export interface FormOptions {
  action: string;
  danger?: boolean;
  /** Beside the button that sends. */
  beside?: Child[];
  /** Does it; what it throws is told by `explain`, and nothing is cleared. */
  submit: () => Promise<void>;
  explain: (error: unknown) => string;
}

export class Form {
  readonly element: HTMLFormElement;
  private readonly fault = el("p", { class: "fault", role: "alert" });
  private readonly button: HTMLButtonElement;
  private busy = false;

  constructor(
    private readonly options: FormOptions,
    ...children: Child[]
  ) {
    const look = options.danger ? "button danger" : "button primary";
    this.button = el("button", { class: look, type: "submit" }, options.action);
    const submit = (event: Event) => {
      event.preventDefault();
      void this.send();
    };
    this.element = el(
      "form",
      { class: "form", on: { submit } },
      ...children,
      this.fault,
      el("div", { class: "form-actions" }, this.button, ...(options.beside ?? [])),
    );
  }

  /** Shows what went wrong, or with nothing that it is over. */
  complain(text: string): void {
    setText(this.fault, text);
  }

  private async send(): Promise<void> {
    // The button keeps the focus, so it is not disabled.
    if (this.busy) return;
    this.busy = true;
    this.button.setAttribute("aria-busy", "true");
    this.complain("");
    try {
      await this.options.submit();
    } catch (error) {
      this.complain(this.options.explain(error));
    } finally {
      this.busy = false;
      this.button.removeAttribute("aria-busy");
    }
  }
}
