/** What is kept of a person: given to them, and taken away. */
import { explain } from "../api";
import { el } from "../dom";
import { identity } from "../identity";
import { signInPath } from "../sign-in/address";
import { RequestFailed } from "../request";
import { textButton } from "../ui/button";
import { Form, field, passwordField, select } from "../ui/form";
import { erase, exportPerson, type Me } from "./api";
import { passwordComplaint } from "./password";
import { Section } from "./section";

export function dataSection(): HTMLElement {
  const fetchAll = async () => {
    section.say("Collecting your data…");
    try {
      const address = URL.createObjectURL(await exportPerson());
      el("a", { href: address, download: "quire-my-data.json" }).click();
      // The browser has taken it by then.
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      section.say("Your data is in your downloads.");
    } catch (error) {
      section.say(explain(error, "Nothing was downloaded."));
    }
  };
  const section = new Section(
    "Your data",
    el("p", {}, "All that this server keeps of you: your account, what is shared with you, and your documents, as one JSON file."),
    textButton({ label: "Export my data", onClick: () => void fetchAll() }),
  );
  return section.element;
}

/** Why an account was not deleted. */
function complaint(error: unknown, hasPassword: boolean): string {
  const kept = "Your account is as it was.";
  if (hasPassword) return passwordComplaint(error, kept);
  const stale = error instanceof RequestFailed && error.status === 403;
  return stale ? `You have not signed in within the last ten minutes. ${kept}` : explain(error, kept);
}

export function deleteSection(me: Me): HTMLElement {
  const word = me.email ?? me.id;
  const documents = select(
    "What becomes of your documents",
    [
      ["private", "Documents that I share with others stay"],
      ["owned", "All my documents are deleted, also for others"],
    ],
    "private",
  );
  const typed = field(`Type ${word} to confirm`, { autocomplete: "off", autocapitalize: "none", required: true });
  const password = me.password && passwordField("Password", "current");
  const code =
    me.second_factor &&
    field("Code of the second factor", { autocomplete: "one-time-code", autocapitalize: "none", required: true, maxlength: 40 });
  const form = new Form(
    {
      action: "Delete my account",
      danger: true,
      submit: async () => {
        if (typed.input.value.trim() !== word) throw new Error("not confirmed");
        await erase(documents.value as "private" | "owned", {
          ...(password && { password: password.input.value }),
          ...(code && { totp: code.input.value.trim() }),
        });
        // The cookie is of no use any more, and goes with this.
        await identity.signOut().catch(() => identity.forget());
        location.assign("/");
      },
      explain: (error) =>
        error instanceof Error && error.message === "not confirmed"
          ? `That is not ${word}. Nothing was deleted.`
          : complaint(error, me.password),
    },
    documents,
    typed.element,
    password && password.element,
    code && code.element,
  );
  const again = async () => {
    await identity.signOut().catch(() => identity.forget());
    location.assign(signInPath("/account"));
  };
  const proof = !me.password && [
    el("p", {}, "You have no password here. Sign in again with your provider, then delete the account within ten minutes."),
    textButton({ label: "Sign in again", onClick: () => void again() }),
  ];
  const section = new Section(
    "Delete the account",
    el(
      "p",
      {},
      "Your account, your sign-ins and what is shared with you are deleted at once, and so are documents that you share with nobody. What you have written in other people’s documents stays there, without your name. This cannot be undone.",
    ),
    el("details", {}, el("summary", {}, "Go on"), ...(proof || []), form.element),
  );
  return section.element;
}
