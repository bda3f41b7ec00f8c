import type { Limits, ServerMessage } from "./protocol.gen.js";

/** The subprotocol that every socket offers first; tokens go in further ones, since they must not be in the URL. */
export const SUBPROTOCOL = "quire.v1";

export function offeredProtocols(token: string | undefined, link?: string): string[] {
  return [
    SUBPROTOCOL,
    ...(token === undefined ? [] : [`bearer.${token}`]),
    ...(link === undefined ? [] : [`link.${link}`]),
  ];
}

/** Close codes that mean more than "try again" (docs/protocol.md section 6). */
export const CloseCode = {
  normal: 1000,
  tokenExpired: 4401,
  accessLost: 4403,
  deleted: 4404,
  replaced: 4409,
} as const;

/** What is assumed until the first `welcome` says what holds: the protocol's own values. */
export const DEFAULT_LIMITS: Limits = {
  frame_bytes: 1024 * 1024,
  ops: 10_000,
  document_bytes: 10_000_000,
  presence_bytes: 4096,
  ops_per_second: 50,
  base_lag: 10_000,
};

/** Parses a frame; undefined if it is not one. Types that this client does not know are left to the caller to ignore. */
export function parseFrame(data: unknown): ServerMessage | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const frame: unknown = JSON.parse(data);
    return typeof frame === "object" && frame !== null && "type" in frame ? (frame as ServerMessage) : undefined;
  } catch {
    return undefined;
  }
}

/** Where the socket of a document is, and where its metadata is asked for. */
export function documentUrls(origin: string, doc: string): { socket: string; metadata: string } {
  const at = (path: string, secure: string, plain: string): string => {
    const url = new URL(origin);
    url.protocol = url.protocol === "https:" || url.protocol === "wss:" ? secure : plain;
    url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/${path}/${encodeURIComponent(doc)}`;
    return url.href;
  };
  return { socket: at("collab", "wss:", "ws:"), metadata: at("docs", "https:", "http:") };
}
