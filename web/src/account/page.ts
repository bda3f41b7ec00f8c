/** `/account`: who one is here, how one signs in, and what is kept of one. */
import { explain } from "../api";
import { el, fill } from "../dom";
import { identity } from "../identity";
import { signInPath } from "../sign-in/address";
import { textButton } from "../ui/button";
import { pageBar } from "../ui/page-bar";
import { personPlace, plainActions } from "../ui/person";
import { readMe } from "./api";
import { dataSection, deleteSection } from "./data";
import { nameSection } from "./name";
import { passwordSection } from "./password";
import { secondFactorSection } from "./second-factor";
import { signInsSection } from "./sign-ins";

export async function showAccount(root: HTMLElement): Promise<void> {
  document.title = "Account · quire";
  const body = el("div", { class: "account" });
  fill(root, pageBar(personPlace(plainActions)), el("main", { class: "narrow wide" }, el("h1", {}, "Account"), body));
  identity.onChange((user) => user ?? location.replace(signInPath("/account")));
  try {
    if (!(await identity.who())) {
      location.replace(signInPath("/account"));
      return;
    }
    const me = await readMe();
    fill(
      body,
      nameSection(me),
      me.password && passwordSection(),
      me.password && secondFactorSection(me.second_factor),
      signInsSection(),
      dataSection(),
      deleteSection(me),
    );
  } catch (error) {
    const retry = textButton({ label: "Try again", onClick: () => location.reload() });
    fill(body, el("p", { role: "alert" }, explain(error, "The account could not be shown.")), retry);
  }
}
