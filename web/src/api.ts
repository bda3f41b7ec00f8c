/** The REST calls that the pages make. Times are Unix ms. */
import { QuireError, type Role } from "@quire/client";
import { identity } from "./identity";
import { RequestFailed, send, type RequestOptions } from "./request";

export { RequestFailed };

export interface Person {
  id: string;
  name: string;
  color: string;
}

/** A document as the list and its own page show it. */
export interface DocumentEntry {
  id: string;
  /** As its writers named it; may be empty. */
  title: string;
  history: string;
  /** Whose it is. */
  owner: string;
  version: number;
  /** The version of the newest snapshot; 0 without one. */
  snapshot_version: number;
  created_at: number;
  updated_at: number;
  /** The first line of its text. */
  preview?: string;
  /** Who has it open now. */
  people?: Person[];
  /** When it was moved to the trash; absent while it is not there. */
  deleted_at?: number;
}

/** What somebody may do with a document; docs/permissions.md says what follows from what. */
export interface Permissions {
  role: Role | null;
  /** What whoever has the address may do. */
  link: Role | null;
  actions: string[];
}

export interface DocumentList {
  docs: DocumentEntry[];
  /** Cursor of the next page; absent on the last one. */
  next?: string;
}

/** Tokens of share links, by the address of the document that they are for. */
const links = new Map<string, string>();

/** Presents the token of a share link with every call about the document `id` from now on. */
export function presentLink(id: string, token: string): void {
  links.set(documentPath(id), token);
}

/** Calls the server as whoever is signed in; `more.headers` are beside those that follow from that. */
export async function call(
  method: string,
  path: string,
  body?: object,
  more: RequestOptions = {},
): Promise<Response> {
  if (more.headers?.authorization !== undefined) return send(method, path, body, more);
  // Without waiting if that can be: a page that is left has no time.
  const token = identity.token ?? (await tokenOrRefusal());
  try {
    return await send(method, path, body, { ...more, headers: headersFor(path, token, more.headers) });
  } catch (error) {
    if (token === undefined || !(error instanceof RequestFailed) || error.status !== 401) throw error;
    const fresh = await tokenOrRefusal(token);
    return send(method, path, body, { ...more, headers: headersFor(path, fresh, more.headers) });
  }
}

async function tokenOrRefusal(rejected?: string): Promise<string | undefined> {
  try {
    return await identity.fetchToken(rejected);
  } catch (error) {
    if (error instanceof QuireError) throw new RequestFailed(401, error.code, error.message);
    throw error;
  }
}

function headersFor(path: string, token: string | undefined, more: Record<string, string> = {}): Record<string, string> {
  const about = /^\/v1\/docs\/[^/?]+/.exec(path)?.[0];
  const link = about === undefined ? undefined : links.get(about);
  return {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(link !== undefined && { "quire-link": link }),
    ...more,
  };
}

export const documentPath = (id: string) => `/v1/docs/${encodeURIComponent(id)}`;

export interface ListQuery {
  query?: string;
  /** `next` of the page before. */
  cursor?: string;
  /** 1 to 200. */
  limit?: number;
  /** Those in the trash, instead of the others. */
  trashed?: boolean;
}

/** Lists documents, most recently changed first. `query` is matched by the server. */
export async function listDocuments(
  { query = "", cursor, limit = 50, trashed = false }: ListQuery,
  signal?: AbortSignal,
): Promise<DocumentList> {
  const parameters = new URLSearchParams({ limit: String(limit) });
  if (query) parameters.set("query", query);
  if (cursor) parameters.set("cursor", cursor);
  if (trashed) parameters.set("trashed", "true");
  const response = await call("GET", `/v1/docs?${parameters}`, undefined, signal && { signal });
  return (await response.json()) as DocumentList;
}

/** Creates a document with one empty line, which is what an editor shows of an empty document. */
export async function createDocument(title = ""): Promise<DocumentEntry> {
  const response = await call("POST", "/v1/docs", { ...(title && { title }), content: [{ insert: "\n" }] });
  return (await response.json()) as DocumentEntry;
}

/** A document, and what the person who asks may do with it. */
export async function openDocument(id: string): Promise<{ metadata: DocumentEntry; permissions: Permissions }> {
  const response = await call("GET", documentPath(id));
  return (await response.json()) as { metadata: DocumentEntry; permissions: Permissions };
}

/** `keepalive` lets the request outlive the page. */
export async function renameDocument(id: string, title: string, keepalive = false): Promise<void> {
  await call("PATCH", documentPath(id), { title }, { keepalive });
}

/** Moves a document to the trash, where it stays until `restoreDocument` takes it out, or it is purged. */
export async function trashDocument(id: string): Promise<void> {
  await call("DELETE", documentPath(id));
}

export async function restoreDocument(id: string): Promise<void> {
  await call("PATCH", documentPath(id), { deleted: false });
}

/** Whether the same call may succeed later. */
export function mayPass(error: unknown): boolean {
  return error instanceof RequestFailed && (error.status === 0 || error.status === 429 || error.status >= 500);
}

/**
 * Says in one paragraph what happened, what was kept and what to do.
 * `kept` is the caller's sentence: "The document was not created."
 */
export function explain(error: unknown, kept: string): string {
  if (!(error instanceof RequestFailed))
    return `This page ran into a fault of its own. ${kept} Reload the page and try again.`;
  if (error.status === 0) return `The server could not be reached. ${kept} Check the connection and try again.`;
  if (error.status === 401) return `You are not signed in. ${kept} Sign in and try again.`;
  if (error.status === 403) return `You have no permission for this. ${kept}`;
  if (error.status === 404) return `This document does not exist any more. ${kept}`;
  if (error.status === 429) return `Too many requests in a short time. ${kept} Wait a moment and try again.`;
  if (error.status >= 500) return `The server cannot do this right now. ${kept} Try again in a moment.`;
  return `The server refused: ${sentence(error.message)} ${kept}`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
