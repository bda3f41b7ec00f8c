import type Quill from "quill";
import type { DocumentSession } from "../api.js";
import type { Clock } from "../clock.js";

/** An input method from which nothing was heard for this long is not in the middle of a word. */
const STILL_MS = 1_000;

/**
 * Follows an input method. Quill reports what it composes only when that is over, and a change of others would break it
 * off: so while it is at work the session holds what others do, and what is composed counts as not saved.
 *
 * An input method may be left open for long, and a page may be put away with one open. So after a pause, and whenever the
 * page is hidden, what has been composed so far is taken and what was held is let in; when it goes on, all is as before.
 */
export class Composition {
  private open = false;
  private release: (() => void) | undefined;
  private unannounce: (() => void) | undefined;
  private cancel: () => void = () => undefined;

  constructor(
    private readonly quill: Quill,
    private readonly session: DocumentSession,
    private readonly clock: Clock,
  ) {}

  /** Returns what ends it. */
  follow(): () => void {
    const { quill } = this;
    const page = quill.root.ownerDocument;
    const start = (): void => this.begin();
    const update = ({ data }: CompositionEvent): void => this.goOn(data);
    // The editor reports what was composed before this, and is itself again after it.
    const end = (): void => queueMicrotask(() => this.finish());
    const hide = (): void => {
      if (page.visibilityState === "hidden") this.take();
    };
    const leave = (): void => this.take();
    quill.on("composition-start", start);
    quill.on("composition-end", end);
    quill.root.addEventListener("compositionupdate", update);
    page.addEventListener("visibilitychange", hide);
    page.defaultView?.addEventListener("pagehide", leave);
    return () => {
      quill.off("composition-start", start);
      quill.off("composition-end", end);
      quill.root.removeEventListener("compositionupdate", update);
      page.removeEventListener("visibilitychange", hide);
      page.defaultView?.removeEventListener("pagehide", leave);
      this.finish();
    };
  }

  /**
   * Runs a change that others made. In the text that is being composed in, Quill would replace all of it, and the input
   * method would lose its place and write its word a second time; only what differs is replaced there.
   */
  during(change: () => void): void {
    const node = this.open ? this.quill.root.ownerDocument.getSelection()?.anchorNode : undefined;
    if (node?.nodeType !== Node.TEXT_NODE) {
      change();
      return;
    }
    const text = node as Text;
    Object.defineProperty(text, "data", {
      configurable: true,
      get: () => text.nodeValue,
      set: (value: string) => replaceLeast(text, value),
    });
    try {
      change();
    } finally {
      Reflect.deleteProperty(text, "data");
    }
  }

  private begin(): void {
    this.open = true;
    this.hold();
  }

  private goOn(text: string): void {
    if (!this.open) return;
    // It had been taken for finished: what comes now is again reported as a whole.
    if (!this.release) this.quill.scroll.batchStart();
    this.hold();
    if (text !== "") this.unannounce ??= this.session.announceEdit();
    else this.forget();
  }

  private hold(): void {
    this.release ??= this.session.holdRemote();
    this.cancel();
    this.cancel = this.clock.after(STILL_MS, () => this.take());
  }

  /** Makes an edit of what has been composed so far. */
  private take(): void {
    if (!this.open || !this.release) return;
    this.quill.scroll.batchEnd();
    this.quill.update("user");
    this.letGo();
  }

  private finish(): void {
    this.open = false;
    this.letGo();
  }

  private letGo(): void {
    this.cancel();
    // What was composed has become an edit by now, so nothing is taken for saved in between.
    this.forget();
    this.release?.();
    this.release = undefined;
  }

  private forget(): void {
    this.unannounce?.();
    this.unannounce = undefined;
  }
}

/** Makes the text of `node` `after`, leaving alone what it begins and ends with already. */
function replaceLeast(node: Text, after: string): void {
  const before = node.nodeValue ?? "";
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < most - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  node.replaceData(start, before.length - start - end, after.slice(start, after.length - end));
}
