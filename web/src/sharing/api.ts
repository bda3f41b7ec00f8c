/** The calls that say who may do what with a document. Times are Unix ms. */
import type { Role } from "@quire/client";
import { call, documentPath } from "../api";

/** What is granted to a user or a group. */
export interface Grant {
  /** The id of a user, or `group:` and that of a group. */
  subject: string;
  /** What the server knows a user as. */
  name?: string;
  role: Role;
  expires_at?: number;
}

export interface Shared {
  owner: string;
  owner_name?: string;
  link: Role | null;
  permissions: Grant[];
  next?: string;
}

export interface ShareLink {
  id: string;
  role: Role;
  made_at: number;
  expires_at?: number;
  revoked_at?: number;
}

export interface Group {
  id: string;
  name: string;
}

/** The calls for one document. */
export class Sharing {
  private readonly path: string;

  constructor(id: string) {
    this.path = documentPath(id);
  }

  /** Everybody, page by page. */
  async everybody(): Promise<Shared> {
    const first = await this.ask<Shared>("permissions?limit=200");
    const all = [...first.permissions];
    for (let { next } = first; next !== undefined; ) {
      const page = await this.ask<Shared>(`permissions?limit=200&cursor=${encodeURIComponent(next)}`);
      all.push(...page.permissions);
      next = page.next;
    }
    return { ...first, permissions: all };
  }

  async grant(subject: string, role: Role, expiresAt?: number): Promise<void> {
    await call("PUT", this.of(subject), { role, ...(expiresAt !== undefined && { expires_at: expiresAt }) });
  }

  async revoke(subject: string): Promise<void> {
    await call("DELETE", this.of(subject));
  }

  async setAddress(role: string): Promise<void> {
    await call("PUT", `${this.path}/link`, { role });
  }

  async giveTo(user: string): Promise<void> {
    await call("PUT", `${this.path}/owner`, { user });
  }

  /** Those that still open the document. */
  async links(now = Date.now()): Promise<ShareLink[]> {
    const { links } = await this.ask<{ links: ShareLink[] }>("links?limit=200");
    return links.filter(({ revoked_at, expires_at = Infinity }) => revoked_at === undefined && expires_at > now);
  }

  /** Gives the token, which is shown this once. */
  async makeLink(role: Role, expiresAt?: number): Promise<string> {
    const body = { role, ...(expiresAt !== undefined && { expires_at: expiresAt }) };
    const response = await call("POST", `${this.path}/links`, body);
    return ((await response.json()) as { token: string }).token;
  }

  async revokeLink(id: string): Promise<void> {
    await call("DELETE", `${this.path}/links/${id}`);
  }

  private of(subject: string): string {
    return `${this.path}/permissions/${encodeURIComponent(subject)}`;
  }

  private async ask<T>(path: string): Promise<T> {
    return (await (await call("GET", `${this.path}/${path}`)).json()) as T;
  }
}

/** The groups that the person is in. */
export async function listGroups(): Promise<Group[]> {
  const response = await call("GET", "/v1/groups?limit=200");
  return ((await response.json()) as { groups: Group[] }).groups;
}
