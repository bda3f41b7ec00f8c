import type { Clock } from "../../src/clock.js";

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  private time = 1_700_000_000_000;
  private timers: { at: number; run: () => void }[] = [];

  constructor(private readonly chance: () => number = () => 0.5) {}

  now(): number {
    return this.time;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.time + Math.max(ms, 0), run };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  random(): number {
    return this.chance();
  }

  /** Lets `ms` go by, and runs what was due in between, in order. */
  advance(ms: number): void {
    const until = this.time + ms;
    for (let next = this.next(until); next; next = this.next(until)) {
      this.time = Math.max(this.time, next.at);
      this.timers = this.timers.filter((timer) => timer !== next);
      next.run();
    }
    this.time = until;
  }

  /** As `advance`, but all that was due runs late, at the end: each timer once, and none that is set meanwhile. */
  leap(ms: number): void {
    this.time += ms;
    for (const timer of this.timers.filter(({ at }) => at <= this.time)) {
      if (!this.timers.includes(timer)) continue;
      this.timers = this.timers.filter((other) => other !== timer);
      timer.run();
    }
  }

  /** Milliseconds until the next timer, if there is one. */
  untilNext(): number | undefined {
    const next = this.next(Infinity);
    return next && next.at - this.time;
  }

  private next(until: number): { at: number; run: () => void } | undefined {
    return this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
  }
}
