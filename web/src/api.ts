/** The REST calls that the pages make. Times are Unix ms. */

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

export interface DocumentList {
  docs: DocumentEntry[];
  /** Cursor of the next page; absent on the last one. */
  next?: string;
}

interface Problem {
  code?: string;
  detail?: string;
  title?: string;
  deleted_at?: number;
}

/** A call that did not do what it was asked to. Nothing changed on the server, unless `reached` is unknown. */
export class RequestFailed extends Error {
  constructor(
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    /** The server's code (see docs/protocol.md), or `unreachable`. */
    readonly code: string,
    detail: string,
    /** The document is in the trash. */
    readonly inTrash = false,
  ) {
    super(detail);
  }
}

/** Calls the server; `more.headers` are beside that of the body's type. */
export async function call(
  method: string,
  path: string,
  body?: object,
  more: Pick<RequestInit, "signal" | "keepalive"> & { headers?: Record<string, string> } = {},
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      ...more,
      ...(body && {
        body: JSON.stringify(body),
        headers: { "content-type": "application/json", ...more.headers },
      }),
    });
  } catch (cause) {
    if (more.signal?.aborted) throw cause;
    throw new RequestFailed(0, "unreachable", "The server could not be reached.");
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as Problem;
  throw new RequestFailed(
    response.status,
    problem.code ?? "internal",
    problem.detail ?? problem.title ?? "The server gave no reason.",
    problem.deleted_at !== undefined,
  );
}

const documentPath = (id: string) => `/v1/docs/${encodeURIComponent(id)}`;

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

export async function getDocument(id: string): Promise<DocumentEntry> {
  const response = await call("GET", documentPath(id));
  return ((await response.json()) as { metadata: DocumentEntry }).metadata;
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
  if (error.status === 403) return `You have no permission for this. ${kept}`;
  if (error.status === 404) return `This document does not exist any more. ${kept}`;
  if (error.status === 429) return `Too many requests in a short time. ${kept} Wait a moment and try again.`;
  if (error.status >= 500) return `The server cannot do this right now. ${kept} Try again in a moment.`;
  return `The server refused: ${sentence(error.message)} ${kept}`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
