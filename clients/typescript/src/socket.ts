/** What the client needs of a WebSocket: the part that browsers, Node 22 and the package `ws` have in common. */
export interface Socket {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: (() => void) | null;
}

/** Opens a socket to `url`, offering `protocols` in this order. */
export type SocketFactory = (url: string, protocols: string[]) => Socket | Promise<Socket>;

/** The platform's own WebSocket; without one (Node 20) that of `ws`, which browsers never load. */
export const platformSocket: SocketFactory = async (url, protocols) => {
  if (typeof globalThis.WebSocket === "function") return new globalThis.WebSocket(url, protocols) as Socket;
  const { WebSocket } = await import("ws");
  return new WebSocket(url, protocols) as unknown as Socket;
};
