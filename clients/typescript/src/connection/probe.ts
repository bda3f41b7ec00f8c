import type { Clock } from "../clock.js";

/** What the server's answer to `GET /v1/docs/{id}` says about a handshake that failed. */
export type Verdict =
  | { kind: "unauthorized" }
  | { kind: "forbidden" }
  | { kind: "not_found" }
  | { kind: "wait"; reason: "rate_limited" | "unavailable"; ms: number | undefined }
  | { kind: "unknown" };

/** A server that does not answer this is as good as none. */
const PROBE_TIMEOUT_MS = 15_000;

/**
 * Asks why a handshake was refused: a browser does not tell the status of a failed upgrade (docs/protocol.md section 2).
 * Never rejects.
 */
export async function probe(
  url: string,
  { token, link }: { token: string | undefined; link: string | undefined },
  request: typeof fetch,
  clock: Clock,
): Promise<Verdict> {
  const abort = new AbortController();
  const cancel = clock.after(PROBE_TIMEOUT_MS, () => abort.abort());
  try {
    const headers = {
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(link !== undefined && { "Quire-Link": link }),
    };
    const response = await request(url, { headers, signal: abort.signal, cache: "no-store" });
    return verdict(response, clock);
  } catch {
    return { kind: "unknown" };
  } finally {
    cancel();
  }
}

function verdict(response: Response, clock: Clock): Verdict {
  switch (response.status) {
    case 401:
      return { kind: "unauthorized" };
    case 403:
      return { kind: "forbidden" };
    case 404:
      return { kind: "not_found" };
    case 429:
      return { kind: "wait", reason: "rate_limited", ms: retryAfter(response, clock) };
    case 503:
      return { kind: "wait", reason: "unavailable", ms: retryAfter(response, clock) };
    default:
      return { kind: "unknown" };
  }
}

/** `Retry-After` in ms: seconds, or a date (RFC 9110 section 10.2.3). */
function retryAfter(response: Response, clock: Clock): number | undefined {
  const value = response.headers.get("Retry-After");
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - clock.now();
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}
