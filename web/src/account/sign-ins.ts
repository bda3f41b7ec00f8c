/** Where one is signed in, each with a way to end it. */
import { explain } from "../api";
import { el, fill } from "../dom";
import { ago, exactly } from "../time";
import { textButton } from "../ui/button";
import { agentText } from "./agent";
import { endSignIn, listSignIns, type SignInEntry } from "./api";
import { Section } from "./section";

export function signInsSection(): HTMLElement {
  const list = el("ul", { class: "share-list" });
  const section = new Section("Where you are signed in", list);
  const load = async () => {
    try {
      fill(list, ...(await listSignIns()).map((entry) => row(entry, end)));
    } catch (error) {
      section.say(explain(error, "Your sign-ins could not be listed."));
    }
  };
  const end = async (entry: SignInEntry) => {
    try {
      await endSignIn(entry.id);
      section.say(`${agentText(entry.user_agent)} is signed out.`);
      await load();
    } catch (error) {
      section.say(explain(error, "It is signed in still."));
    }
  };
  void load();
  return section.element;
}

function row(entry: SignInEntry, end: (entry: SignInEntry) => Promise<void>): HTMLElement {
  const { user_agent: agent, created_at: since, used_at: used, current } = entry;
  return el(
    "li",
    { class: "share-row" },
    el(
      "span",
      { class: "share-name", title: agent },
      el("span", {}, current ? `${agentText(agent)} (this one)` : agentText(agent)),
      el("span", { class: "share-detail", title: `Since ${exactly(since)}` }, `used ${ago(used)}`),
    ),
    !current && textButton({ label: "Sign out", onClick: () => void end(entry) }),
  );
}
