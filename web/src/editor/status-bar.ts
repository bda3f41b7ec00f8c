/** The foot of the page: who types, how much there is, and the version. */
import type { DocumentSession } from "@quire/client";
import { el, setText } from "../dom";
import { exactly } from "../time";
import { typingText, typists } from "./typing";
import { countWords } from "./words";

/** Words are counted when the writing pauses, in ms. */
const PAUSE = 400;

export class StatusBar {
  private readonly typing = el("span", { class: "typing" });
  private readonly words = el("span", { class: "words" });
  private readonly version = el("span", { class: "version" });
  readonly element = el("footer", { class: "status-bar" }, this.typing, this.words, this.version);
  private timer = 0;
  /** What the words were counted in last, or are about to be. */
  private seen: DocumentSession["content"] | undefined;

  show(session: DocumentSession): void {
    setText(this.typing, typingText(typists(session)));
    setText(this.version, session.ready ? `Version ${session.version}` : "");
    this.version.title = session.savedAt === undefined ? "" : `Last saved ${exactly(session.savedAt)}`;
    if (session.content === this.seen) return;
    this.seen = session.content;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.count(session), PAUSE);
  }

  private count(session: DocumentSession): void {
    const words = countWords(session.content);
    setText(this.words, session.ready ? (words === 1 ? "1 word" : `${words.toLocaleString()} words`) : "");
  }
}
