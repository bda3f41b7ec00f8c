/** `/sign-in`: the way in, and on to where somebody wanted to go. */
import { explain } from "../api";
import { el, fill, setText } from "../dom";
import { identity } from "../identity";
import { textButton } from "../ui/button";
import { pageBar } from "../ui/page-bar";
import { destination } from "./address";
import { SignIn } from "./form";

export async function showSignIn(root: HTMLElement): Promise<void> {
  const to = destination(location.search, location.origin);
  const heading = el("h1");
  const title = (text: string) => {
    setText(heading, text);
    document.title = `${text} · quire`;
  };
  title("Sign in");
  const body = el("div");
  fill(root, pageBar(), el("main", { class: "narrow" }, heading, body));
  const done = () => location.replace(to);
  try {
    const user = await identity.who();
    const entrance = await identity.entrance();
    if (user) {
      // Somebody who was sent here by a page that is open elsewhere stays; that one has gone on already.
      if (new URLSearchParams(location.search).has("to")) {
        done();
        return;
      }
      title("You are signed in");
      fill(
        body,
        el("p", {}, `As ${user.name}${user.email === undefined ? "" : ` (${user.email})`}. You can close this window.`),
        el(
          "div",
          { class: "form-actions" },
          textButton({ label: "All documents", class: "primary", onClick: () => location.assign("/") }),
        ),
      );
      return;
    }
    const form = new SignIn(entrance, { done, to, apart: false, title });
    fill(
      body,
      form.element,
      entrance.guests && el("p", { class: "ways" }, el("a", { href: to }, "Go on without an account")),
    );
    form.focus();
  } catch (error) {
    const retry = textButton({ label: "Try again", onClick: () => location.reload() });
    fill(body, el("p", { role: "alert" }, explain(error, "You are not signed in.")), retry);
  }
}
