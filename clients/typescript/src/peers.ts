import Delta from "quill-delta";
import type { Peer } from "./api.js";
import { insertedText } from "./delta/parts.js";
import { clampCursor, moveCursor } from "./delta/positions.js";
import { withCursor } from "./presence.js";
import type { CommittedOp, DeltaOp, Peer as WirePeer } from "./protocol.gen.js";

/** Operations kept to move a cursor that was sent for an older version; without them it is not shown until the next one. */
const KEPT_OPERATIONS = 1_000;

/** …and at most so much inserted text with them, in UTF-16 code units. */
const KEPT_UNITS = 1_000_000;

/** What made a version. */
interface Operation {
  readonly made: number;
  readonly client: string;
  readonly delta: Delta;
}

/** The others in the document. Their cursors are sent once, and moved here through every operation since. */
export class Peers {
  private readonly bySession = new Map<string, WirePeer>();
  private recent: Operation[] = [];
  /** Text inserted since operations were last forgotten; counts those that have been dropped for their number too. */
  private units = 0;

  /** A `welcome` says who is there. */
  greet(peers: readonly WirePeer[], version: number): void {
    this.bySession.clear();
    this.update(peers, version);
  }

  /** Cursors for older versions cannot be moved any more, for example since the content was replaced. */
  forgetOperations(): void {
    this.recent = [];
    this.units = 0;
  }

  /** A `presence` frame says what changed; `state: null` is gone. */
  update(peers: readonly WirePeer[], version: number): void {
    for (const peer of peers) {
      if (peer.state === null) this.bySession.delete(peer.session);
      else this.bySession.set(peer.session, this.broughtTo(version, peer));
    }
  }

  /** The operation that made `version` was taken. */
  committed({ client, delta }: CommittedOp, version: number): void {
    const operation = { made: version, client, delta: new Delta(delta) };
    this.keep(operation);
    for (const [session, peer] of this.bySession) this.bySession.set(session, moved(peer, operation));
  }

  /** Everybody but the user's own session, with cursors in coordinates of the content, pending edits included. */
  visible(own: { session: string | undefined; client: string }, pending: readonly Delta[], length: number): Peer[] {
    return [...this.bySession.values()]
      .filter(({ session, client }) => session !== own.session && client !== own.client)
      .map(({ session, client, user, state }) => ({
        session,
        client,
        user,
        state: withCursor(state, (cursor) =>
          clampCursor(
            pending.reduce((at, operation) => moveCursor(at, operation, false), cursor),
            length,
          ),
        ),
      }));
  }

  private keep(operation: Operation): void {
    this.recent.push(operation);
    this.units += insertedText(operation.delta.ops as DeltaOp[]).length;
    if (this.units > KEPT_UNITS) this.forgetOperations();
    if (this.recent.length > 2 * KEPT_OPERATIONS) this.recent = this.recent.slice(-KEPT_OPERATIONS);
  }

  private broughtTo(version: number, peer: WirePeer): WirePeer {
    if (peer.base >= version || !peer.state?.cursor) return peer;
    const since = this.recent.filter(({ made }) => made > peer.base);
    if (since.length < version - peer.base) {
      const state = { ...peer.state };
      delete state.cursor;
      return { ...peer, state };
    }
    return since.reduce(moved, peer);
  }
}

/** A peer's cursor after an operation on the version that it is in; one that is ahead of us waits for us. */
function moved(peer: WirePeer, operation: Operation): WirePeer {
  if (peer.base !== operation.made - 1) return peer;
  const own = operation.client === peer.client;
  const state = withCursor(peer.state, (cursor) => moveCursor(cursor, operation.delta, own));
  return { ...peer, state, base: operation.made };
}
