/** Gathering ends when the user pauses this long… */
const PAUSE_MS = 200;

/** …or has typed this much… */
const GATHERED_CHARACTERS = 20;

/** …or when the oldest edit has waited this long. */
const LONGEST_MS = 2_000;

/** Somebody who has used up the rate is throttled for this long. */
const THROTTLED_MS = 1_000;

/**
 * When the next operation may be sent. Normally at once: the first keystroke goes out immediately, and what is typed while
 * an operation is in flight follows, composed, the moment that one is answered; no timer would make that sooner.
 *
 * Only a user who has used up the server's `ops_per_second`, or was told `rate_limited`, is throttled for a while. Then edits
 * are gathered into fewer operations: until a pause of 200 ms, 20 characters, or 2 s, whichever comes first, and not before
 * the rate allows one.
 */
export class Pacing {
  private allowance: number;
  private refilledAt: number;
  private throttledUntil = -Infinity;
  private gatheredSince: number | undefined;
  private lastEditAt = 0;
  private characters = 0;

  /** @param rate operations per second, 0 for any number; the allowance is one second's worth */
  constructor(
    private rate: number,
    now: number,
  ) {
    this.allowance = this.burst;
    this.refilledAt = now;
  }

  setRate(rate: number): void {
    this.rate = rate;
    this.allowance = this.burst;
  }

  /** The user inserted that many characters, or deleted or formatted some (0). */
  edited(now: number, characters: number): void {
    this.gatheredSince ??= now;
    this.lastEditAt = now;
    this.characters += Math.max(characters, 1);
  }

  sent(now: number): void {
    this.refill(now);
    this.allowance -= 1;
    this.gatheredSince = undefined;
    this.characters = 0;
  }

  /** The server said that it was too much: whatever was allowed is used up. */
  limited(now: number): void {
    this.refill(now);
    this.allowance = Math.min(this.allowance, 0);
    this.throttledUntil = now + THROTTLED_MS;
  }

  /** Milliseconds until what has been gathered may be sent; 0 for now. */
  delay(now: number): number {
    if (this.rate <= 0) return 0;
    this.refill(now);
    if (this.allowance < 1) this.throttledUntil = now + THROTTLED_MS;
    if (now >= this.throttledUntil) return 0;
    const allowed = now + (Math.max(1 - this.allowance, 0) / this.rate) * 1_000;
    return Math.max(allowed, this.gatheredEnough(now)) - now;
  }

  private gatheredEnough(now: number): number {
    if (this.characters >= GATHERED_CHARACTERS || this.gatheredSince === undefined) return now;
    return Math.max(now, Math.min(this.lastEditAt + PAUSE_MS, this.gatheredSince + LONGEST_MS));
  }

  private refill(now: number): void {
    this.allowance = Math.min(this.burst, this.allowance + ((now - this.refilledAt) / 1_000) * this.rate);
    this.refilledAt = now;
  }

  private get burst(): number {
    return Math.max(this.rate, 1);
  }
}
