import type { Client } from "./client.js";
import type { Clock } from "./clock.js";
import { Pacing } from "./pacing.js";
import type { OpMessage } from "./protocol.gen.js";

/** How long to wait before a resend when the server does not say. */
const RESEND_AFTER_MS = 1_000;

/** Sends what is pending, one operation at a time, while the session is caught up. */
export class Outbox {
  private open = false;
  private cancel: (() => void) | undefined;
  private sentBase = -1;
  private readonly pacing: Pacing;

  constructor(
    private readonly client: Client,
    private readonly clock: Clock,
    private readonly send: (message: OpMessage) => void,
  ) {
    this.pacing = new Pacing(0, clock.now());
  }

  /** Whether the session is caught up, so that operations can be sent. */
  get isOpen(): boolean {
    return this.open;
  }

  setRate(operationsPerSecond: number): void {
    this.pacing.setRate(operationsPerSecond);
  }

  /** The session holds everything that the server has: what is in flight is not in the stream, so it is sent again. */
  resume(): void {
    this.open = true;
    if (this.client.inFlight === undefined) this.pump();
    else this.resend();
  }

  /** The connection is gone; nothing is sent before the next `resume`. */
  stop(): void {
    this.open = false;
    this.stopTimer();
  }

  edited(characters: number): void {
    this.pacing.edited(this.clock.now(), characters);
    this.pump();
  }

  /** The operation in flight was answered, one way or the other. */
  answered(): void {
    this.stopTimer();
    this.pump();
  }

  /** The operation in flight is not known to be durable: the same again, later. */
  retry(afterMs: number | undefined, limited: boolean): void {
    if (limited) this.pacing.limited(this.clock.now());
    this.stopTimer();
    this.cancel = this.clock.after(afterMs ?? RESEND_AFTER_MS, () => this.resend());
  }

  /** The server has it: a resend that was planned is not needed. */
  acknowledged(): void {
    if (this.client.inFlight !== undefined) this.stopTimer();
  }

  /**
   * The operation in flight was made on a version that the server does not take any more.
   * @returns false if this replica knows no newer one
   */
  rebased(): boolean {
    if (this.client.version <= this.sentBase) return false;
    this.resend();
    return true;
  }

  private pump(): void {
    if (!this.open || this.client.inFlight !== undefined || this.client.state === "synchronised") return;
    this.stopTimer();
    const delay = this.pacing.delay(this.clock.now());
    if (delay > 0) this.cancel = this.clock.after(delay, () => this.pump());
    else this.put(this.client.next());
  }

  private resend(): void {
    this.stopTimer();
    if (this.open) this.put(this.client.resend());
  }

  private put(message: OpMessage | undefined): void {
    if (!message) return;
    this.sentBase = message.base;
    this.pacing.sent(this.clock.now());
    this.send(message);
  }

  private stopTimer(): void {
    this.cancel?.();
    this.cancel = undefined;
  }
}
