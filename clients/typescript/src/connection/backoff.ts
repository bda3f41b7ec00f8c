import type { Clock } from "../clock.js";

/** Delays between attempts, in seconds; the last one repeats. */
const DELAYS_S = [1, 2, 4, 8, 16, 30];

/** A connection that lived this long has shown that the server is well: the delays begin anew. */
const WELL_AFTER_MS = 10_000;

/** The growing delays between attempts, each drawn between half and whole so that clients do not return as one wave. */
export class Backoff {
  private failures = 0;

  constructor(private readonly clock: Clock) {}

  /** Whether nothing has failed yet since the last good connection. */
  get fresh(): boolean {
    return this.failures === 0;
  }

  /** Delay in ms before the next attempt. */
  next(): number {
    const delay = (DELAYS_S[Math.min(this.failures, DELAYS_S.length - 1)] ?? 1) * 1_000;
    this.failures += 1;
    return delay * (0.5 + this.clock.random() / 2);
  }

  /** A connection ended that had been welcomed at `since` (Unix ms). One that is closed at once is a failure too. */
  ended(since: number): void {
    if (this.clock.now() - since >= WELL_AFTER_MS) this.failures = 0;
  }
}
