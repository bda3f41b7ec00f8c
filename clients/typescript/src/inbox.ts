import type { ServerMessage } from "./protocol.gen.js";

/** Frames kept while the session is held. Past that they are dropped, and asked for again when it is let go. */
const KEPT_FRAMES = 1_000;

/** These say nothing about the content and need not wait. */
const NEVER_HELD = new Set<ServerMessage["type"]>(["pong", "received", "role"]);

/**
 * What the server sends, on its way to the session. While it is held, nothing that could change the content or speaks of
 * positions gets through, and the order stays: an error may refuse what a waiting operation has to be rebased over.
 */
export class Inbox {
  private holds = 0;
  private waiting: ServerMessage[] = [];
  private dropped = false;

  /**
   * @param handle takes a frame
   * @param missed frames were dropped: the session has to resume from the version that it holds
   */
  constructor(
    private readonly handle: (frame: ServerMessage) => void,
    private readonly missed: () => void,
  ) {}

  get held(): boolean {
    return this.holds > 0;
  }

  deliver(frame: ServerMessage): void {
    if (frame.type === "welcome") this.clear();
    if (!this.held || NEVER_HELD.has(frame.type)) {
      this.handle(frame);
      return;
    }
    if (this.waiting.length >= KEPT_FRAMES) this.drop();
    if (!this.dropped) this.waiting.push(frame);
  }

  /** Calls nest; each returned function counts once. */
  hold(): () => void {
    this.holds += 1;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.holds -= 1;
      if (!this.held) this.letIn();
    };
  }

  /** A new session begins from the version that is held, so frames of the one before are not needed. */
  private clear(): void {
    this.waiting = [];
    this.dropped = false;
  }

  private drop(): void {
    this.waiting = [];
    this.dropped = true;
  }

  private letIn(): void {
    const { waiting, dropped } = this;
    this.clear();
    // A listener may hold again while these are handled: then the rest waits in front of what comes later.
    waiting.forEach((frame) => this.deliver(frame));
    if (dropped) this.missed();
  }
}
