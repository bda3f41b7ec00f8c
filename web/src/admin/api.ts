/** The calls of administrators. Times are Unix ms. */
import { RequestFailed, call } from "../api";

/** A server process. */
export interface ServerNode {
  name: string;
  version: string;
  started_at: number;
  uptime_ms: number;
  draining: boolean;
  connections: number;
  sessions: number;
  documents: number;
  quarantined: number;
  /** Made durable since the start. */
  operations: number;
  journal_queue: number;
  snapshot_queue: number;
  /** Operations that are durable and in no snapshot. */
  snapshot_lag: number;
}

/** Another server of the same database, or the one that was asked. */
export interface ListedServer {
  name: string;
  /** Where the others reach it; absent of one that is alone. */
  url?: string;
  alive: boolean;
  draining: boolean;
  /** Parts of the documents, of 256, that it has. */
  shards: number;
  /** Since when nothing was heard of it. */
  silent_ms?: number;
}

/** A document in memory; only the first three are there while it is not live. */
export interface LiveDocument {
  id: string;
  /** The server that has it. */
  node: string;
  state: "opening" | "live" | "quarantined";
  version?: number;
  updated_at?: number;
  sessions?: number;
  speculative?: number;
  snapshot_lag?: number;
  bytes?: number;
  idle_ms?: number;
}

export interface LiveSession {
  session: string;
  /** The server of its document. */
  node: string;
  doc: string;
  client: string;
  user: string;
  name: string;
  /** Versions that it has still to be sent. */
  lag: number;
}

export interface Verified {
  versions: number;
  snapshots: number;
  complaints: string[];
}

/** Somebody whom the server does not serve: a user or a network. */
export interface Ban {
  id: string;
  user?: string;
  network?: string;
  reason: string;
  made_by: string;
  made_at: number;
  expires_at?: number;
}

export type NewBan = Pick<Ban, "user" | "network" | "reason" | "expires_at">;

/** Somebody's address that is told of events. */
export interface Webhook {
  id: string;
  /** Events of its owner's documents, or of all. */
  scope: "documents" | "server";
  owner?: string;
  url: string;
  enabled: boolean;
  /** Why the server has disabled it. */
  disabled_because?: string;
  /** Since when nothing was taken. */
  failing_since?: number;
}

/** What a webhook was not told, although it was tried. */
export interface DeadDelivery {
  id: string;
  type: string;
  doc?: string;
  tries: number;
  /** When it was given up. */
  done_at?: number;
  /** Of the last answer. */
  status?: number;
  /** Why there was none. */
  error?: string;
}

/** What one look at the server finds. */
export interface Found {
  /** The server that was asked. */
  node: ServerNode;
  /** All that share its database, itself first. */
  servers: ListedServer[];
  /** Names of those that have not answered: documents and sessions are without theirs. */
  missing: string[];
  docs: LiveDocument[];
  /** Whether there are more documents than these. */
  more: boolean;
  sessions: LiveSession[];
  bans: Ban[];
  hooks: Webhook[];
  /** Of the webhook that was asked for. */
  dead: { of: string; deliveries: DeadDelivery[] } | undefined;
}

/** The most documents that are shown. */
const PAGE = 100;

/** Speaks for one administrator: by a token that was given, or else as whoever is signed in. */
export class Administration {
  constructor(private readonly token?: string) {}

  /** `hook` is the webhook of which it is shown what was given up. */
  async look(hook?: string): Promise<Found> {
    const [{ nodes }, live, present, { bans }, { webhooks }, dead] = await Promise.all([
      this.ask<{ nodes: [ServerNode & ListedServer, ...ListedServer[]] | [] }>("GET", "admin/nodes"),
      this.ask<{ docs: LiveDocument[]; next?: string; missing?: string[] }>("GET", `admin/docs?limit=${PAGE}`),
      this.ask<{ sessions: LiveSession[]; missing?: string[] }>("GET", `admin/sessions?limit=${PAGE}`),
      this.ask<{ bans: Ban[] }>("GET", `admin/bans?limit=${PAGE}`),
      this.ask<{ webhooks: Webhook[] }>("GET", `webhooks?limit=${PAGE}`),
      hook === undefined ? undefined : this.dead(hook),
    ]);
    const node = nodes[0];
    if (!node) throw new RequestFailed(500, "internal", "The server says nothing of itself.");
    const missing = [...new Set([...(live.missing ?? []), ...(present.missing ?? [])])];
    const more = live.next !== undefined;
    const { docs } = live;
    return { node, servers: nodes, missing, docs, more, sessions: present.sessions, bans, hooks: webhooks, dead };
  }

  private async dead(hook: string): Promise<Found["dead"]> {
    const path = `webhooks/${encodeURIComponent(hook)}/deliveries?state=dead&limit=${PAGE}`;
    try {
      return { of: hook, ...(await this.ask<{ deliveries: DeadDelivery[] }>("GET", path)) };
    } catch (error) {
      // It was removed.
      if (error instanceof RequestFailed && error.status === 404) return undefined;
      throw error;
    }
  }

  async redeliver(hook: Webhook, delivery: DeadDelivery): Promise<void> {
    const [of, id] = [hook.id, delivery.id].map(encodeURIComponent);
    await this.call("POST", `webhooks/${of}/deliveries/${id}/redeliver`);
  }

  async passivate(doc: string): Promise<void> {
    await this.call("POST", `admin/docs/${encodeURIComponent(doc)}/passivate`);
  }

  verify(doc: string): Promise<Verified> {
    return this.ask("POST", `admin/docs/${encodeURIComponent(doc)}/verify`);
  }

  async dismiss({ doc, session }: LiveSession): Promise<void> {
    await this.call("DELETE", `admin/docs/${encodeURIComponent(doc)}/sessions/${session}`);
  }

  async ban(ban: NewBan): Promise<void> {
    await this.call("POST", "admin/bans", ban);
  }

  async lift({ id }: Ban): Promise<void> {
    await this.call("DELETE", `admin/bans/${encodeURIComponent(id)}`);
  }

  async drain(): Promise<void> {
    await this.call("POST", "admin/drain");
  }

  private async ask<T>(method: string, path: string): Promise<T> {
    return (await (await this.call(method, path)).json()) as T;
  }

  private call(method: string, path: string, body?: object): Promise<Response> {
    const headers = this.token === undefined ? {} : { authorization: `Bearer ${this.token}` };
    return call(method, `/v1/${path}`, body, { headers });
  }
}
