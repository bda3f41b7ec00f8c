/**
 * Who uses these pages. The access token is in memory alone; the refresh token is in a cookie that no script reads, so a
 * page that is loaded asks for an access token with it. All windows have one cookie, whose token is good once: they
 * exchange it one after the other, under a lock.
 */
import { QuireError } from "@quire/client";
import { RequestFailed, send } from "./request";

/** What the server lets strangers do: the answer of `GET /v1/auth`. */
export interface Entrance {
  /** Whether there is anybody who could sign in with an address and a password. */
  sign_in: boolean;
  /** Whether people make accounts for themselves. */
  registration: boolean;
  guests: boolean;
  guests_create: boolean;
  /** What whoever has the address of a new document may do. */
  link_role: string | null;
  /** Whether this browser has a cookie of a sign-in. */
  remembered: boolean;
}

/** Somebody who has signed in. */
export interface User {
  id: string;
  name: string;
  email?: string;
  /** Looks after the server. */
  admin: boolean;
  may_create: boolean;
}

interface Held {
  user: User;
  token: string;
  /** Unix ms by this device's clock: when the token ends. */
  until: number;
}

/** A token that ends sooner than this, in ms, is exchanged first. */
const EARLY = 30_000;
/** A page that was left in the middle of an exchange may still be answered for so long, in ms. */
const CUT_OFF = 2_000;
/** How often one looks whether it was, in ms. */
const LOOK = 100;
const LOCK = "quire.refresh";
const MARK = "quire.refreshing";

type Listener = (user: User | undefined) => void;

export class Identity {
  private entered: Entrance | undefined;
  private begun: Promise<void> | undefined;
  private held: Held | undefined;
  /** Signed in on this page, as far as it knows. */
  private last: User | undefined;
  private exchanging: Promise<Held> | undefined;
  private readonly listeners = new Set<Listener>();
  private readonly others = new BroadcastChannel("quire.identity");
  /** Somebody was signed in here, and is not any more: only a person can say who goes on. */
  ended = false;

  constructor() {
    this.others.onmessage = ({ data }) => void this.elsewhere(data === "in");
  }

  /** As whom this page is signed in; undefined for a guest, and before `who` has resolved. */
  get user(): User | undefined {
    return this.ended ? undefined : this.last;
  }

  /** The token, if there is one that need not be exchanged first. */
  get token(): string | undefined {
    const { held } = this;
    return held && held.until - Date.now() > EARLY ? held.token : undefined;
  }

  /** What the server is open for. Rejects while it cannot be reached. */
  async entrance(): Promise<Entrance> {
    await this.begin();
    if (!this.entered) throw new RequestFailed(0, "unreachable", "The server could not be reached.");
    return this.entered;
  }

  /** Who is there; undefined for a guest. Rejects while the server cannot be reached. */
  async who(): Promise<User | undefined> {
    await this.begin();
    return this.user;
  }

  /**
   * The token to speak with; undefined for a guest. `rejected` is one that the server does not take any more.
   * @throws {QuireError} `unauthorized` once somebody who was signed in is not any more.
   */
  async fetchToken(rejected?: string): Promise<string | undefined> {
    await this.begin();
    if (this.ended) throw signedOut();
    if (!this.last) return undefined;
    const { token } = this;
    if (token !== undefined && token !== rejected) return token;
    return (await this.exchange()).token;
  }

  /** @throws {RequestFailed} what was wrong; `wantsCode` when it is the second factor. */
  async signIn(email: string, password: string, totp?: string): Promise<void> {
    const body = { email, password, cookie: true, ...(totp && { totp }) };
    await underLock(async () => this.take(await send("POST", "/v1/auth/login", body)));
    this.others.postMessage("in");
  }

  /** Ends the sign-in of this browser. Its other windows are told. */
  async signOut(): Promise<void> {
    const headers: Record<string, string> = this.held ? { authorization: `Bearer ${this.held.token}` } : {};
    await underLock(() => send("POST", "/v1/auth/logout", {}, { headers })).catch((error: unknown) => {
      // Nobody was signed in any more, which is what was wanted.
      if (!(error instanceof RequestFailed && error.status === 401)) throw error;
    });
    this.forget();
    this.others.postMessage("out");
  }

  /** Nobody is signed in here any more, and that is known. */
  forget(): void {
    this.held = this.last = undefined;
    this.ended = false;
    this.tell();
  }

  /** Has the next token say what has changed of the account. */
  async renew(): Promise<void> {
    await this.exchange();
  }

  /** Calls `listener` whenever somebody else is there, or nobody any more. Returns the way to stop. */
  onChange(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private begin(): Promise<void> {
    return (this.begun ??= this.start().catch((error: unknown) => {
      this.begun = undefined;
      throw error;
    }));
  }

  private async start(): Promise<void> {
    const response = await send("GET", "/v1/auth");
    this.entered = (await response.json()) as Entrance;
    if (this.entered.remembered && !this.held) await this.restore();
  }

  /** Goes on as whom the browser remembers. A cookie that is of no use any more makes a guest. */
  private async restore(): Promise<void> {
    try {
      await this.exchange();
    } catch (error) {
      if (!(error instanceof QuireError)) throw error;
    }
  }

  /** Asks for a fresh token. What this window asks for at a time is one question. */
  private exchange(): Promise<Held> {
    return (this.exchanging ??= underLock(() => this.ask()).finally(() => (this.exchanging = undefined)));
  }

  private async ask(): Promise<Held> {
    await cutOffIsOver();
    mark(true);
    try {
      // Its answer has the next cookie, so it goes on when the page is left.
      return await this.take(await send("POST", "/v1/auth/refresh", {}, { keepalive: true }));
    } catch (error) {
      if (!(error instanceof RequestFailed && error.status === 401)) throw error;
      this.lose();
      throw signedOut();
    } finally {
      mark(false);
    }
  }

  private async take(response: Response): Promise<Held> {
    const { user, access_token, expires_at } = (await response.json()) as {
      user: User;
      access_token: string;
      expires_at: number;
    };
    // By the server's clock, which this device's may differ from.
    const said = Date.parse(response.headers.get("date") ?? "");
    const lifetime = expires_at - (Number.isNaN(said) ? Date.now() : said);
    const held = (this.held = { user, token: access_token, until: Date.now() + lifetime });
    const news = this.ended || JSON.stringify(this.last) !== JSON.stringify(user);
    this.last = user;
    this.ended = false;
    if (news) this.tell();
    return held;
  }

  private lose(): void {
    this.held = undefined;
    if (!this.last || this.ended) return;
    this.ended = true;
    this.tell();
  }

  /** Another window has signed in or out. */
  private async elsewhere(signedIn: boolean): Promise<void> {
    if (!this.begun) return;
    if (!signedIn) this.lose();
    // It may be somebody else.
    else await this.restore().catch(() => undefined);
  }

  private tell(): void {
    for (const listener of this.listeners) listener(this.user);
  }
}

function signedOut(): QuireError {
  return new QuireError("unauthorized", "nobody is signed in any more");
}

/** One window at a time. Pages from afar by plain http have no locks; there the mark has to do. */
async function underLock<T>(act: () => Promise<T>): Promise<T> {
  if (!("locks" in navigator)) return act();
  return navigator.locks.request(LOCK, act);
}

/**
 * Waits while an exchange may still be under way that nobody waits for any more: its page was left, and its lock with it.
 * The cookie that is here until its answer comes would be taken for a stolen one.
 */
async function cutOffIsOver(): Promise<void> {
  for (;;) {
    const since = Date.now() - marked();
    if (since < 0 || since >= CUT_OFF) return;
    await new Promise((done) => setTimeout(done, LOOK));
  }
}

function marked(): number {
  try {
    return Number(localStorage.getItem(MARK) ?? 0);
  } catch {
    return 0;
  }
}

function mark(begins: boolean): void {
  try {
    if (begins) localStorage.setItem(MARK, String(Date.now()));
    else localStorage.removeItem(MARK);
  } catch {
    // Without storage a page that is left at once may have to sign in again.
  }
}

export const identity = new Identity();
