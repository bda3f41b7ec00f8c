import type { Clock } from "../clock.js";

type TokenProvider = (rejected?: string) => string | undefined | Promise<string | undefined>;

/** A fresh token is sent this long before the old one expires, or at half of what is left if that is less. */
const RENEW_BEFORE_MS = 60_000;

/** A device whose clock is ahead takes every token for expired: it does not ask for the next one sooner than this. */
const LEAST_RENEWAL_MS = 5_000;

/** The token of a session: asked for before each connection, and renewed in time while one lasts. */
export class Token {
  private current: string | undefined;
  private rejected: string | undefined;
  private cancel: (() => void) | undefined;
  private asked = 0;

  constructor(
    private readonly provider: TokenProvider | undefined,
    private readonly clock: Clock,
  ) {}

  /** What the last connection was opened with; undefined for a guest. */
  get value(): string | undefined {
    return this.current;
  }

  /** Asks for the token to connect with. Rejects if the provider does. Once asked again, a late answer is not kept. */
  async fetch(): Promise<string | undefined> {
    const asked = (this.asked += 1);
    const token = await this.provider?.(this.rejected);
    if (asked === this.asked) this.current = token;
    return token;
  }

  /** The server did not take the current token: the provider is told which. */
  reject(): void {
    this.rejected = this.current;
  }

  /** Has `send` called with a fresh token before `expiresAt` (Unix ms). Replaces what was planned. */
  renewBefore(expiresAt: number | undefined, send: (token: string) => void): void {
    this.stopRenewing();
    if (expiresAt === undefined || !this.provider) return;
    const left = Math.max(expiresAt - this.clock.now(), 0);
    const due = left - Math.min(RENEW_BEFORE_MS, left / 2);
    this.cancel = this.clock.after(Math.max(due, LEAST_RENEWAL_MS), () => {
      this.renew(send);
    });
  }

  stopRenewing(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  private renew(send: (token: string) => void): void {
    this.reject();
    const planned = this.cancel;
    this.fetch().then(
      (token) => {
        if (token !== undefined && planned === this.cancel) send(token);
      },
      () => {
        // Without a fresh token the server closes with 4401, and the next connection asks again.
      },
    );
  }
}
