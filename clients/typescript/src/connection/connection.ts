import type { ConnectionReason, ConnectionStatus } from "../api.js";
import type { Clock } from "../clock.js";
import { QuireError } from "../errors.js";
import { CloseCode, documentUrls, offeredProtocols, parseFrame } from "../protocol.js";
import type { ClientMessage, Hello, Reconnect, ServerMessage } from "../protocol.gen.js";
import type { Socket, SocketFactory } from "../socket.js";
import { Backoff } from "./backoff.js";
import { Liveness } from "./liveness.js";
import { probe } from "./probe.js";
import type { Token } from "./token.js";

export interface ConnectionOptions {
  url: string;
  doc: string;
  token: Token;
  /** Of a share link. */
  link: string | undefined;
  socket: SocketFactory;
  fetch: typeof fetch;
  clock: Clock;
  /** The first frame of each connection, as of then. */
  hello: () => Hello;
  message: (frame: ServerMessage) => void;
  status: (status: ConnectionStatus) => void;
}

/** What the connection is doing. Each phase but the first and the last ends by itself. */
type Phase =
  | { kind: "idle" }
  | { kind: "preparing" /* a token, then a socket */ }
  | { kind: "opening" /* handshake */; socket: Socket; liveness: Liveness }
  | { kind: "greeting" /* hello sent */; socket: Socket; liveness: Liveness }
  | { kind: "live"; socket: Socket; liveness: Liveness; since: number; caughtUp: boolean }
  | { kind: "probing" /* why the handshake failed */ }
  | { kind: "waiting"; retryAt: number; cancel: () => void }
  | { kind: "closed" };

/** Replaced within this time of giving up a socket, it was this replica's own late `hello` (docs/protocol.md section 4). */
const OWN_GHOST_MS = 2 * 60_000;

/** However little the server asks for, failed handshakes are not closer together than this. */
const LEAST_WAIT_MS = 1_000;

/** A socket ended without a close frame; the server may still think that it lives. */
const ABNORMAL_CLOSURE = 1006;

/**
 * Keeps one document connected: handshake, liveness, back-off, and why it failed. Knows nothing of documents.
 *
 * Safety:
 * 1. There is one phase, and whatever a former phase started (socket, token, probe, timer) is stopped or ignored: its
 *    callbacks compare `turn`. So frames of an old socket never reach the session, and there are never two sockets in use.
 * 2. `hello` is the first frame on each socket, and nothing else is sent on it before its `welcome` has arrived.
 * 3. `closed` is left only by the user: `retryNow()`, and not even by that after `close()`.
 *
 * Liveness:
 * 4. Every phase but `idle` and `closed` holds a timer or a request with a time limit, so it ends: `opening`, `greeting` and
 *    `live` have `Liveness` (15 s of silence), `probing` its time-out, `waiting` its timer. A token provider that never
 *    answers is the only exception; `retryNow()` asks it again.
 * 5. Each failure leads to `waiting`, or to `closed` with a reason that only the user can mend.
 */
export class Connection {
  private phase: Phase = { kind: "idle" };
  private turn = 0;
  private readonly backoff: Backoff;
  private readonly urls: { socket: string; metadata: string };
  private reason: ConnectionReason | undefined;
  private online = true;
  private welcomedOnce = false;
  private refusedTokens = 0;
  private gaveUpAt = -Infinity;

  constructor(private readonly options: ConnectionOptions) {
    this.backoff = new Backoff(options.clock);
    this.urls = documentUrls(options.url, options.doc);
  }

  get status(): ConnectionStatus {
    const { phase, reason } = this;
    const status = { state: this.state, ...(reason !== undefined && { reason }) };
    return phase.kind === "waiting" ? { ...status, retryAt: phase.retryAt } : status;
  }

  /** Whether frames may be sent: `hello` was answered. */
  get live(): boolean {
    return this.phase.kind === "live";
  }

  /** Opens a socket now, whatever it was waiting for. */
  connect(): void {
    const turn = this.enter({ kind: "preparing" });
    void this.open(turn);
  }

  send(frame: ClientMessage): void {
    if (this.phase.kind === "live") this.phase.socket.send(JSON.stringify(frame));
  }

  /** The session holds everything that the server had: it is connected now. */
  caughtUp(): void {
    if (this.phase.kind !== "live" || this.phase.caughtUp) return;
    this.phase.caughtUp = true;
    this.reason = undefined;
    this.report();
  }

  /** Gives up the socket and connects again, for example since frames were lost. Without a socket it does nothing. */
  restart(reason: ConnectionReason): void {
    if ("socket" in this.phase) this.giveUp(reason);
  }

  /** Connects anew at once, so that `hello` is said again. Without a socket it does nothing. */
  reopen(): void {
    if (!("socket" in this.phase)) return;
    this.gaveUpAt = this.options.clock.now();
    this.connect();
  }

  /** Somebody else is there, or somebody again: connects anew at once, whatever it was doing, unless it was closed by its user. */
  authenticate(): void {
    if ("socket" in this.phase) this.reopen();
    else this.retryNow();
  }

  /** Does not wait any longer: not for the next attempt, nor for a token provider that is silent. */
  retryNow(): void {
    const { kind } = this.phase;
    const mended = kind === "closed" && this.reason !== "closed";
    if (kind === "waiting" || kind === "preparing" || mended) this.connect();
  }

  setOnline(online: boolean): void {
    if (this.online === online) return;
    this.online = online;
    if (!online && "liveness" in this.phase) this.phase.liveness.doubt();
    if (online && this.phase.kind === "waiting") this.connect();
    else this.report();
  }

  close(reason: ConnectionReason = "closed"): void {
    if (this.phase.kind === "closed" && this.reason === reason) return;
    this.reason = reason;
    this.enter({ kind: "closed" });
  }

  private get state(): ConnectionStatus["state"] {
    if (this.phase.kind === "closed") return "closed";
    if (this.phase.kind === "live" && this.phase.caughtUp) return "connected";
    if (!this.online) return "offline";
    return this.welcomedOnce || !this.backoff.fresh ? "reconnecting" : "connecting";
  }

  private async open(turn: number): Promise<void> {
    const { options } = this;
    try {
      const token = await options.token.fetch();
      if (turn !== this.turn) return;
      const socket = await options.socket(this.urls.socket, offeredProtocols(token, options.link));
      if (turn === this.turn) this.attach(socket, turn);
      else discard(socket);
    } catch (error) {
      if (turn !== this.turn) return;
      // Nobody is signed in any more, which only the user can mend.
      if (error instanceof QuireError && error.code === "unauthorized") this.close("unauthorized");
      // No token, or no socket to be had: as good as a server that does not answer.
      else this.retryLater("lost");
    }
  }

  private attach(socket: Socket, turn: number): void {
    const ifCurrent = (act: () => void) => () => {
      if (turn === this.turn) act();
    };
    const liveness = new Liveness(
      this.options.clock,
      ifCurrent(() => this.send({ type: "ping", t: this.options.clock.now() })),
      ifCurrent(() => this.giveUp("silent")),
    );
    this.phase = { kind: "opening", socket, liveness };
    socket.onopen = ifCurrent(() => this.opened(socket, liveness));
    socket.onmessage = ({ data }) => {
      if (turn === this.turn) this.received(data);
    };
    socket.onclose = ({ code }) => {
      if (turn === this.turn) this.ended(code);
    };
    // A close follows every error, and says more.
    socket.onerror = () => undefined;
  }

  private opened(socket: Socket, liveness: Liveness): void {
    this.phase = { kind: "greeting", socket, liveness };
    liveness.heard();
    socket.send(JSON.stringify(this.options.hello()));
  }

  private received(data: unknown): void {
    const frame = parseFrame(data);
    if (!frame || !("liveness" in this.phase)) {
      this.giveUp("lost");
      return;
    }
    this.phase.liveness.heard();
    if (frame.type === "reconnect") this.askedToReconnect(frame);
    else {
      if (frame.type === "welcome") this.welcomed();
      this.options.message(frame);
    }
  }

  private welcomed(): void {
    if (this.phase.kind !== "greeting") return;
    const { socket, liveness } = this.phase;
    this.phase = { kind: "live", socket, liveness, since: this.options.clock.now(), caughtUp: false };
    this.welcomedOnce = true;
    this.refusedTokens = 0;
  }

  private askedToReconnect({ reason, after_ms }: Reconnect): void {
    if (reason === "replaced") {
      this.replaced();
      return;
    }
    this.countLife();
    this.wait(after_ms, reason);
  }

  private replaced(): void {
    const byGhost = this.options.clock.now() - this.gaveUpAt < OWN_GHOST_MS;
    if (byGhost) this.retryLater("replaced");
    else this.close("replaced");
  }

  private ended(code: number): void {
    if (this.phase.kind === "opening") {
      void this.findOut(this.enter({ kind: "probing" }));
      return;
    }
    if (code === ABNORMAL_CLOSURE) this.gaveUpAt = this.options.clock.now();
    if (code === CloseCode.accessLost) this.close("forbidden");
    else if (code === CloseCode.deleted) this.close("deleted");
    else if (code === CloseCode.replaced) this.replaced();
    else if (code === CloseCode.tokenExpired) this.unauthorized();
    else this.retryLater("lost");
  }

  private async findOut(turn: number): Promise<void> {
    const { token, link, fetch, clock } = this.options;
    const verdict = await probe(this.urls.metadata, { token: token.value, link }, fetch, clock);
    if (turn !== this.turn) return;
    switch (verdict.kind) {
      case "unauthorized":
        this.unauthorized();
        return;
      case "forbidden":
        this.close("forbidden");
        return;
      case "not_found":
        this.close(this.welcomedOnce ? "deleted" : "not_found");
        return;
      case "wait":
        if (verdict.ms === undefined) this.retryLater(verdict.reason);
        else this.wait(Math.max(verdict.ms, LEAST_WAIT_MS), verdict.reason);
        return;
      case "unknown":
        this.retryLater("lost");
    }
  }

  /** The first time a new token is tried at once; a provider that keeps giving bad ones is slowed down. */
  private unauthorized(): void {
    if (this.options.token.value === undefined) {
      this.close("unauthorized");
      return;
    }
    this.options.token.reject();
    this.refusedTokens += 1;
    if (this.refusedTokens === 1) {
      this.countLife();
      this.wait(0, "unauthorized");
    } else this.retryLater("unauthorized");
  }

  private giveUp(reason: ConnectionReason): void {
    this.gaveUpAt = this.options.clock.now();
    this.retryLater(reason);
  }

  private retryLater(reason: ConnectionReason): void {
    this.countLife();
    this.wait(this.backoff.next(), reason);
  }

  /** A connection that is about to end may have lived long enough for the back-off to begin anew. */
  private countLife(): void {
    if (this.phase.kind === "live") this.backoff.ended(this.phase.since);
  }

  private wait(ms: number, reason: ConnectionReason): void {
    this.reason = reason;
    const { clock } = this.options;
    const cancel = clock.after(ms, () => this.connect());
    this.enter({ kind: "waiting", retryAt: clock.now() + ms, cancel });
  }

  /** Ends the phase that was, begins the next, and returns the number that its callbacks have to show. */
  private enter(next: Phase): number {
    const last = this.phase;
    const turn = (this.turn += 1);
    this.phase = next;
    if ("liveness" in last) last.liveness.stop();
    if ("socket" in last) discard(last.socket);
    if (last.kind === "waiting") last.cancel();
    // Whoever hears of it may begin yet another phase; then this number is old already.
    this.report();
    return turn;
  }

  private report(): void {
    this.options.status(this.status);
  }
}

/** Closes a socket whose events nobody wants any more. */
function discard(socket: Socket): void {
  socket.onopen = socket.onmessage = socket.onclose = null;
  // Closing a socket that is still opening makes an error, which `ws` throws if nobody listens.
  socket.onerror = () => undefined;
  socket.close(CloseCode.normal);
}
