import type { Clock } from "../clock.js";

/** A client that heard nothing for this long asks with a ping… */
const PING_AFTER_MS = 10_000;

/** …and takes the connection for dead after this long. */
const DEAD_AFTER_MS = 15_000;

/** An answer gets at least this long: timers of a page that nobody looks at fire once a minute, long after all was due. */
const ANSWER_MS = DEAD_AFTER_MS - PING_AFTER_MS;

/** How long an answer may take when the device says that its network is gone. Some say so wrongly. */
const DOUBT_MS = 3_000;

/** Watches one socket: asks when it is silent, and reports when it is dead. */
export class Liveness {
  private heardAt: number;
  private deadline: number;
  private asked = false;
  private cancel: () => void;

  /**
   * @param ask sends a ping; called at most once per silence
   * @param dead called once, after which this watches no more
   */
  constructor(
    private readonly clock: Clock,
    private readonly ask: () => void,
    private readonly dead: () => void,
  ) {
    this.heardAt = clock.now();
    this.deadline = this.heardAt + DEAD_AFTER_MS;
    this.cancel = this.schedule();
  }

  /** Something arrived. Only notes the time: frames are frequent, timers are not free. */
  heard(): void {
    this.heardAt = this.clock.now();
    this.deadline = this.heardAt + DEAD_AFTER_MS;
    this.asked = false;
  }

  /** There is reason to believe that the network is gone: asks at once, and waits less long. */
  doubt(): void {
    this.cancel();
    this.asked = true;
    this.deadline = Math.min(this.deadline, this.clock.now() + DOUBT_MS);
    this.ask();
    this.cancel = this.schedule();
  }

  stop(): void {
    this.cancel();
  }

  private schedule(): () => void {
    const due = this.asked ? this.deadline : Math.min(this.heardAt + PING_AFTER_MS, this.deadline);
    return this.clock.after(due - this.clock.now(), () => this.look());
  }

  private look(): void {
    const now = this.clock.now();
    if (!this.asked && now - this.heardAt >= PING_AFTER_MS) {
      this.asked = true;
      this.deadline = Math.max(this.deadline, now + ANSWER_MS);
      this.ask();
    }
    if (now >= this.deadline) {
      this.dead();
      return;
    }
    this.cancel = this.schedule();
  }
}
