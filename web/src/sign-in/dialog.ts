/** Signing in without leaving the page: what is open stays open, and what is not saved is kept. */
import { el, setText } from "../dom";
import { identity } from "../identity";
import { openDialog, type Dialog } from "../ui/dialog";
import { iconButton } from "../ui/button";
import { SignIn } from "./form";

/** Resolves once it is closed; whether somebody has signed in is told by `identity`. `why` stands above the form. */
export async function openSignIn(why?: string): Promise<void> {
  const entrance = await identity.entrance();
  const heading = el("h2", {}, "Sign in");
  await new Promise<void>((resolve) => {
    const close = () => dialog.close();
    const form = new SignIn(entrance, {
      done: close,
      to: "/sign-in",
      apart: true,
      title: (text) => setText(heading, text),
    });
    // It may have been done in another window.
    const stop = identity.onChange((user) => user && close());
    const onClose = () => {
      stop();
      resolve();
    };
    const dialog: Dialog = openDialog(
      { label: "Sign in", onClose },
      el("header", { class: "dialog-head" }, heading, iconButton({ icon: "close", label: "Close", onClick: close })),
      el("div", { class: "dialog-body" }, why !== undefined && el("p", { class: "hint" }, why), form.element),
    );
    form.focus();
  });
}
