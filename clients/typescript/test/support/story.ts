import type { DocumentSession, LostEvent, OpenOptions } from "../../src/api.js";
import { open } from "../../src/session.js";
import { FakeClock } from "./clock.js";
import { plainText } from "./ot.js";
import { FakeServer } from "./server.js";

/** A client in a story, and what happened to it. */
export interface Actor {
  session: DocumentSession;
  lost: LostEvent[];
  text(): string;
  /** Types at a place. */
  type(at: number, text: string): void;
  erase(at: number, length: number): void;
  format(at: number, length: number, attributes: Record<string, unknown>): void;
}

/** A server, a clock, and people who join. */
export class Story {
  readonly clock = new FakeClock();
  readonly server: FakeServer;

  constructor(text = "") {
    this.server = new FakeServer(text === "" ? [] : [{ insert: text }]);
  }

  /** Somebody opens the document, and everything settles. */
  async join(options: Partial<OpenOptions> = {}): Promise<Actor> {
    const actor = this.open(options);
    await this.settle();
    return actor;
  }

  open(options: Partial<OpenOptions> = {}): Actor {
    const { socket } = this.server.network;
    const session = open({
      url: "http://quire.test",
      doc: "doc",
      socket,
      fetch: this.server.fetch,
      clock: this.clock,
      ...options,
    });
    const lost: LostEvent[] = [];
    session.on("lost", (event) => lost.push(event));
    return {
      session,
      lost,
      text: () => plainText(session.content),
      type: (at, text) => session.edit([{ retain: at }, { insert: text }]),
      erase: (at, length) => session.edit([{ retain: at }, { delete: length }]),
      format: (at, length, attributes) => session.edit([{ retain: at }, { retain: length, attributes }]),
    };
  }

  async settle(): Promise<void> {
    await this.server.network.settle();
  }

  /** Time goes by, and what it brings settles. */
  async pass(ms: number): Promise<void> {
    await this.settle();
    const until = this.clock.now() + ms;
    for (let left = ms; ; left = until - this.clock.now()) {
      this.clock.advance(Math.min(this.clock.untilNext() ?? left, left));
      await this.settle();
      if (this.clock.now() >= until) return;
    }
  }

  get text(): string {
    return plainText(this.server.content);
  }
}
