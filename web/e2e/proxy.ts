/** A wire between page and server that a test can cut. */
import { connect, createServer, type AddressInfo, type Server as Listener, type Socket } from "node:net";

export class Wire {
  private readonly sockets = new Set<Socket>();
  private whole = true;

  private constructor(
    private readonly listener: Listener,
    readonly url: string,
  ) {}

  /** Leads from a port of its own to the server at `target`. */
  static async to(target: string): Promise<Wire> {
    const { hostname, port } = new URL(target);
    const listener = createServer();
    await new Promise<void>((listening) => listener.listen(0, "127.0.0.1", listening));
    const wire = new Wire(listener, `http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
    listener.on("connection", (near) => wire.join(near, connect(Number(port), hostname)));
    return wire;
  }

  /** Breaks all connections, and every new one, until `mend`. */
  cut(): void {
    this.whole = false;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.whole = true;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((closed) => this.listener.close(closed));
  }

  private join(near: Socket, far: Socket): void {
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    if (!this.whole) {
      near.destroy();
      far.destroy();
      return;
    }
    near.pipe(far).pipe(near);
  }
}
