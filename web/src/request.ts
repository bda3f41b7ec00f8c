/** One request to the server, and what its refusals say. Who asks is added by api.ts. */

interface Problem {
  code?: string;
  detail?: string;
  title?: string;
  deleted_at?: number;
  second_factor?: boolean;
  retry_after_ms?: number;
}

/** A call that did not do what it was asked to. Nothing changed on the server, unless `reached` is unknown. */
export class RequestFailed extends Error {
  constructor(
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    /** The server's code (see docs/protocol.md), or `unreachable`. */
    readonly code: string,
    detail: string,
    private readonly problem: Problem = {},
  ) {
    super(detail);
  }

  /** The document is in the trash. */
  get inTrash(): boolean {
    return this.problem.deleted_at !== undefined;
  }

  /** The password is right; a code of the second factor is missing, or wrong. */
  get wantsCode(): boolean {
    return this.problem.second_factor === true;
  }

  /** When it makes sense to try again, in ms from now. */
  get retryAfter(): number | undefined {
    return this.problem.retry_after_ms;
  }
}

export type RequestOptions = Pick<RequestInit, "signal" | "keepalive"> & { headers?: Record<string, string> };

/** Sends a request; `more.headers` are beside that of the body's type. */
export async function send(
  method: string,
  path: string,
  body?: object,
  more: RequestOptions = {},
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
  const detail = problem.detail ?? problem.title ?? "The server gave no reason.";
  throw new RequestFailed(response.status, problem.code ?? "internal", detail, problem);
}
