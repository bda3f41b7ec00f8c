/** The title of the document, edited where it stands. */
import { explain, mayPass, renameDocument } from "../api";
import { UNTITLED, titleOf } from "../documents/entry";
import { TITLE_LENGTH } from "../documents/row";
import { el } from "../dom";
import { showToast } from "../ui/toast";

/** After the last key, in ms, before a new title is sent. */
const PAUSE = 600;
/** A title that could not be sent is sent again after this, in ms, and when there is a connection again. */
const RETRY = 5_000;
/** Others' new titles are asked for this often, in ms, while the page is looked at: with others here, and alone. */
const REFRESH_IN_COMPANY = 5_000;
const REFRESH_ALONE = 20_000;

export class Title {
  readonly element = el("input", {
    class: "title",
    placeholder: UNTITLED,
    "aria-label": "Title of the document",
    maxlength: TITLE_LENGTH,
    autocomplete: "off",
    spellcheck: "false",
  });
  /** As the server has it. */
  private kept = "";
  /** What the server does not take, though it stands in the field. */
  private refused: string | undefined;
  private sending = false;
  private sent = 0;
  private timer = 0;
  private askedAt = 0;
  private since: number | undefined;
  private readonly listeners = new Set<() => void>();

  /**
   * `ask` gives the title that the server has; `leave` puts the focus into the sheet, after Enter; `inCompany` says whether
   * somebody else is here.
   */
  constructor(
    private readonly id: string,
    private readonly ask: () => Promise<string>,
    leave: () => void,
    private readonly inCompany: () => boolean,
  ) {
    this.element.addEventListener("input", () => this.changed(PAUSE));
    this.element.addEventListener("blur", () => this.changed(0));
    this.element.addEventListener("focus", () => {
      if (this.element.value === UNTITLED) this.element.select();
    });
    // A press would put the caret where it was made, after the focus has selected the text.
    this.element.addEventListener("mousedown", (event) => {
      if (this.element.value !== UNTITLED || document.activeElement === this.element) return;
      event.preventDefault();
      this.element.focus();
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
      // The focus moves before the key has acted: the sheet would get it, and begin with an empty line.
      event.preventDefault();
      if (event.key === "Escape") this.takeBack();
      leave();
    });
    setInterval(() => this.refreshIfOld(), REFRESH_IN_COMPANY);
    document.addEventListener("visibilitychange", () => void this.refresh());
    window.addEventListener("pagehide", () => this.flush());
  }

  /** Shows the title that the server has, unless the person is changing it. */
  show(title: string): void {
    const changing = this.text !== this.kept;
    this.kept = title;
    if (!changing) this.element.value = title;
    this.label();
    this.tell();
  }

  /** Whether the person may change it. */
  allow(change: boolean): void {
    this.element.readOnly = !change;
  }

  /** As it stands in the field. */
  get text(): string {
    return this.element.value.trim();
  }

  /** Whether the server has it, or has said that it will not. */
  get saved(): boolean {
    return this.text === this.kept || this.text === this.refused;
  }

  /** Unix ms: since when what is in the field is not saved. */
  get unsavedSince(): number | undefined {
    return this.since;
  }

  /** Calls `listener` when `saved` changes. */
  on(_event: "saved", listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  whenSaved(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.on("saved", () => settle());
      const settle = () => {
        if (!this.saved) return;
        stop();
        resolve();
      };
      settle();
    });
  }

  focus(): void {
    this.element.focus();
    this.element.select();
  }

  /** There is a connection again: what waited is sent, and what others did meanwhile is asked for. */
  reconnected(): void {
    if (this.saved) void this.refresh();
    else this.changed(0);
  }

  private takeBack(): void {
    this.element.value = this.kept;
    // One that is on its way is taken back when it has arrived.
    this.changed(0);
  }

  /** Sends what is in the field after a pause, in ms, which begins anew with each call. */
  private changed(pause: number): void {
    this.label();
    this.tell();
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.send(), pause);
  }

  /** One request at a time, so that an older title never comes in after a newer one. */
  private async send(): Promise<void> {
    if (this.saved || this.sending || this.element.readOnly) return;
    const title = this.text;
    this.sending = true;
    this.sent += 1;
    try {
      await renameDocument(this.id, title);
      this.kept = title;
      this.refused = undefined;
    } catch (error) {
      // The state line tells of a connection that is gone.
      if (mayPass(error)) this.timer = window.setTimeout(() => void this.send(), RETRY);
      else this.refuse(title, error);
    } finally {
      this.sending = false;
    }
    this.tell();
    // Something was typed, or taken back, meanwhile.
    if (this.text !== title) this.changed(PAUSE);
  }

  private refuse(title: string, error: unknown): void {
    this.refused = title;
    showToast({
      text: explain(error, "The title was not changed on the server; it is still in its field."),
      fault: true,
    });
  }

  /** The page goes: there is no time to wait, neither for a pause nor for an answer. */
  private flush(): void {
    // Nobody is left to be told.
    if (!this.saved) renameDocument(this.id, this.text, true).catch(() => undefined);
  }

  private tell(): void {
    const { saved } = this;
    if (saved === (this.since === undefined)) return;
    this.since = saved ? undefined : Date.now();
    for (const listener of this.listeners) listener();
  }

  private refreshIfOld(): void {
    const old = Date.now() - this.askedAt >= REFRESH_ALONE - REFRESH_IN_COMPANY / 2;
    if (old || this.inCompany()) void this.refresh();
  }

  private async refresh(): Promise<void> {
    if (document.visibilityState !== "visible" || this.element === document.activeElement || !this.saved) return;
    this.askedAt = Date.now();
    const { sent } = this;
    try {
      const title = await this.ask();
      // An answer may be older than what was sent meanwhile.
      if (sent === this.sent) this.show(title);
    } catch {
      // The title is as fresh as the connection; the state line tells of that.
    }
  }

  /** Names the tab; browsers without `field-sizing` take the width from `size`. */
  private label(): void {
    const shown = titleOf({ title: this.element.value });
    document.title = `${shown} · quire`;
    this.element.size = Math.max(8, shown.length);
    this.element.title = shown;
  }
}
