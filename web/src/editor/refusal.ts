/** What stands in the place of a document that cannot be opened. */
import { explain, restoreDocument, type RequestFailed } from "../api";
import { el, fill } from "../dom";
import { identity } from "../identity";
import { signInPath } from "../sign-in/address";
import { textButton } from "../ui/button";
import { canSignIn, learnEntrance } from "../ui/person";
import { showToast } from "../ui/toast";

/** Shows in `root` why the document `id` cannot be opened, and the way on. */
export function showRefusal(root: HTMLElement, id: string, error: RequestFailed): void {
  document.title = "No document · quire";
  const gone = error.status === 404;
  if (error.inTrash) {
    showTrashed(root, id);
    return;
  }
  if (!gone) {
    void showClosed(root);
    return;
  }
  fill(
    root,
    el(
      "main",
      { class: "refusal" },
      el("h1", {}, "There is no document here"),
      el("p", {}, "It was deleted, or the address is not complete."),
      textButton({ label: "All documents", class: "primary", onClick: () => location.assign("/") }),
    ),
  );
}

/** The document is there, and not for this person. */
async function showClosed(root: HTMLElement): Promise<void> {
  await learnEntrance();
  const { user } = identity;
  const all = textButton({ label: "All documents", class: "primary", onClick: () => location.assign("/") });
  const signIn = textButton({ label: "Sign in", class: "primary", onClick: () => location.assign(signInPath()) });
  fill(
    root,
    el(
      "main",
      { class: "refusal" },
      el("h1", {}, "You have no access to this document"),
      user
        ? el("p", {}, `You are signed in as ${user.name}. Ask whoever owns the document to share it with you; your user id is `, el("code", {}, user.id), ".")
        : el("p", {}, "Ask whoever owns it to share it with you. A share link may have ended, or have been revoked."),
      canSignIn() ? signIn : all,
      canSignIn() && el("a", { href: "/" }, "All documents"),
    ),
  );
}

/** Somebody threw the document away: whoever has its address may take it back. */
function showTrashed(root: HTMLElement, id: string): void {
  const restore = async () => {
    try {
      await restoreDocument(id);
      location.reload();
    } catch (error) {
      showToast({ text: explain(error, "The document is still in the trash."), fault: true });
    }
  };
  fill(
    root,
    el(
      "main",
      { class: "refusal" },
      el("h1", {}, "This document is in the trash"),
      el("p", {}, "It stays there, with all that was written in it, until it is restored or deleted for good."),
      textButton({ label: "Restore", class: "primary", onClick: () => void restore() }),
      el("a", { href: "/" }, "All documents"),
    ),
  );
}
