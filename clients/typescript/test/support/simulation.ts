import { createXXHash3 } from "hash-wasm";
import { expect } from "vitest";
import type { LostEvent } from "../../src/api.js";
import { insidePair, insertedText } from "../../src/delta/parts.js";
import type { DeltaOp, ErrorCode } from "../../src/protocol.gen.js";
import { tick } from "./network.js";
import { plainText } from "./ot.js";
import type { Random } from "./random.js";
import { type Actor, Story } from "./story.js";

export interface Plan {
  clients: number;
  steps: number;
  /** Nobody deletes and nothing is undone, so that every character that was typed can be accounted for. */
  onlyInserts: boolean;
  /** The server refuses operations for good now and then. */
  refusals: boolean;
  /** The whole document is replaced now and then. */
  restores: boolean;
  /** Small frames and a short history, so that edits have to be cut, grow out of their frames and become stale. */
  tight: boolean;
}

type Person = Actor & { release: (() => void) | undefined; errors: string[] };

const hasher = await createXXHash3();

function hashOf(text: string): string {
  return hasher.init().update(text).digest();
}

const TEMPORARY: ErrorCode[] = ["unavailable", "internal", "rate_limited", "stale_base"];
const FINAL: ErrorCode[] = ["bad_op", "too_large", "forbidden", "bad_request"];

/** A history of several people, a bad network and a server that now and then fails, all drawn from one seed. */
export class Simulation {
  readonly story = new Story("one 😀 two\n");
  private readonly people: Person[] = [];
  private readonly typed = new Set<string>();
  private calm = false;

  constructor(
    private readonly random: Random,
    private readonly plan: Plan,
  ) {
    const { server } = this.story;
    server.autoCommit = false;
    server.refuse = () => this.refusal();
    server.hash = (text) => (this.calm || this.random.chance(0.99) ? hashOf(text) : "0123456789abcdef");
    if (plan.tight) server.limits = { ...server.limits, ops: 12, frame_bytes: 700, base_lag: 8 };
  }

  async run(): Promise<void> {
    for (let n = 0; n < this.plan.clients; n += 1) this.join();
    for (let step = 0; step < this.plan.steps; step += 1) {
      this.step();
      await tick();
    }
    await this.quiesce();
    this.check();
  }

  private join(): void {
    const actor = this.story.open();
    const person: Person = { ...actor, release: undefined, errors: [] };
    actor.session.on("error", ({ message }) => person.errors.push(message));
    this.people.push(person);
  }

  private step(): void {
    const { random } = this;
    const dice = random.next();
    if (dice < 0.3) this.edit(random.pick(this.people));
    else if (dice < 0.8) this.deliver();
    else if (dice < 0.9) this.commit();
    else if (dice < 0.93) this.story.clock.advance(random.below(3_000));
    else if (dice < 0.96) this.breakNetwork();
    else if (dice < 0.98) this.holdOrRelease(random.pick(this.people));
    else this.meddle();
  }

  private edit(person: Person): void {
    const { session } = person;
    if (!session.ready) return;
    const dice = this.random.next();
    if (dice < 0.15 && !this.plan.onlyInserts) {
      if (this.random.chance(0.7)) session.undo();
      else session.redo();
      return;
    }
    session.edit(this.delta(plainText(session.content)));
    if (this.random.chance(0.1)) session.setPresence({ cursor: { index: this.random.below(20), length: 0 } });
  }

  /** One or two random parts that cut no pair. */
  private delta(text: string): DeltaOp[] {
    const at = this.place(text, 0);
    const to = this.place(text, at);
    const dice = this.random.next();
    const lead: DeltaOp[] = [{ retain: at }];
    if (this.plan.onlyInserts || dice < 0.5) return [...lead, ...this.insertion()];
    if (dice < 0.75) return [...lead, { delete: Math.min(to - at, text.length - at) }, ...this.insertion()];
    if (dice < 0.85) return [...lead, { insert: { image: `${this.random.below(5)}.png` } }];
    const bold = this.random.pick<unknown>([true, null, "very"]);
    return [...lead, { retain: to - at, attributes: { bold } }];
  }

  private insertion(): DeltaOp[] {
    const insert = this.character() + (this.random.chance(0.2) ? this.character() : "");
    return [this.random.chance(0.2) ? { insert, attributes: { bold: true } } : { insert }];
  }

  /** A character that was never typed before; every third one is a surrogate pair. */
  private character(): string {
    const number = this.typed.size;
    const character = String.fromCodePoint((number % 3 === 0 ? 0x20000 : 0x4e00) + number);
    this.typed.add(character);
    return character;
  }

  private place(text: string, from: number): number {
    const at = from + this.random.below(Math.min(text.length - from, 12) + 1);
    return insidePair(text, at) ? at + 1 : at;
  }

  private deliver(): void {
    const busy = this.story.server.network.wires.filter((wire) => wire.waitingForServer + wire.waitingForClient > 0);
    if (busy.length === 0) return;
    const wire = this.random.pick(busy);
    const toServer = wire.waitingForServer > 0 && (wire.waitingForClient === 0 || this.random.chance(0.5));
    if (toServer) wire.deliverToServer();
    else wire.deliverToClient();
  }

  private commit(): void {
    const { server } = this.story;
    const dice = this.random.next();
    if (dice < 0.8) server.commit(this.random.below(server.pending) + 1);
    else if (dice < 0.9) server.failCommit(this.random.below(2_000));
    else server.commitReportedAsFailed();
  }

  private breakNetwork(): void {
    const { wires } = this.story.server.network;
    if (wires.length === 0) return;
    const dice = this.random.next();
    if (dice < 0.6) this.random.pick(wires).cut();
    else if (dice < 0.8) this.random.pick(wires).stall();
    else this.story.server.status = this.random.pick([101, 101, 503, 429, 0]);
  }

  private holdOrRelease(person: Person): void {
    if (person.release) {
      person.release();
      person.release = undefined;
    } else person.release = person.session.holdRemote();
  }

  /** What a server may also do. */
  private meddle(): void {
    const { server } = this.story;
    const dice = this.random.next();
    if (dice < 0.5) server.repeat(this.random.below(4));
    else if (dice < 0.7) server.tell({ type: "reconnect", reason: "draining", after_ms: this.random.below(1_000) });
    else if (dice < 0.8) server.closeAll(1012);
    else if (this.plan.restores) server.restore([{ insert: "restored\n" }]);
    else server.tell({ type: "pong", t: 0 });
  }

  private refusal(): ErrorCode | undefined {
    if (this.calm || !this.random.chance(0.05)) return undefined;
    return this.random.pick(this.plan.refusals ? [...TEMPORARY, ...FINAL] : TEMPORARY);
  }

  /** Everything works again, and time goes by until nothing is left to do. */
  private async quiesce(): Promise<void> {
    const { server, clock } = this.story;
    this.calm = true;
    server.status = 101;
    this.people.forEach((person) => person.release?.());
    for (let round = 0; round < 200 && !this.quiet(); round += 1) {
      await this.story.settle();
      server.commit();
      await this.story.settle();
      clock.advance(1_000);
    }
  }

  private quiet(): boolean {
    return this.people.every(
      ({ session }) =>
        session.connection.state === "connected" && session.saved && session.version === this.story.server.version,
    );
  }

  private check(): void {
    const { server } = this.story;
    const expected = server.content.ops;
    for (const { session, errors } of this.people) {
      expect(session.connection.state).toBe("connected");
      expect(session.saved).toBe(true);
      expect(session.content.ops).toEqual(expected);
      expect(errors).toEqual([]);
    }
    this.checkOnce();
    this.checkNothingLost();
  }

  private checkOnce(): void {
    const names = this.story.server.log.map(({ client, seq }) => `${client} ${seq}`);
    expect(new Set(names).size).toBe(names.length);
    const inserted = this.story.server.log.flatMap(({ delta }) => Array.from(insertedText(delta)));
    const everInserted = inserted.filter((character) => this.typed.has(character));
    if (this.plan.onlyInserts) expect(new Set(everInserted).size).toBe(everInserted.length);
  }

  /** Each character is in the document, or its user was told that it is not; never both. */
  private checkNothingLost(): void {
    if (!this.plan.onlyInserts || this.plan.restores) return;
    const lost = this.people.flatMap((person) => person.lost.flatMap((event: LostEvent) => Array.from(event.text)));
    const kept = Array.from(plainText(this.story.server.content)).filter((character) => this.typed.has(character));
    expect([...kept, ...lost].sort()).toEqual([...this.typed].sort());
  }
}
