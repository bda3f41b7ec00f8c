import type { ClientMessage, ServerMessage } from "../../src/protocol.gen.js";
import type { Socket, SocketFactory } from "../../src/socket.js";

/** What a server does with a socket; `Wire` is its end of it. */
export interface Listener {
  /** HTTP status: 101 takes it. */
  upgrade(wire: Wire): number;
  frame(wire: Wire, frame: ClientMessage): void;
  closed(wire: Wire): void;
}

type Event = { kind: "open" } | { kind: "frame"; data: string } | { kind: "close"; code: number };

/** One connection: what each side has put into it waits until it is delivered, in order. */
export class Wire implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;

  private toServer: Event[] = [{ kind: "open" }];
  private toClient: Event[] = [];
  private serverGone = false;
  private clientGone = false;
  private severed = false;

  constructor(
    private readonly listener: Listener,
    readonly url: string,
    readonly protocols: string[],
  ) {}

  /** From the client. */
  send(data: string): void {
    if (!this.severed) this.toServer.push({ kind: "frame", data });
  }

  /** By the client. */
  close(): void {
    if (!this.severed) this.toServer.push({ kind: "close", code: 1000 });
    this.clientGone = true;
  }

  /** From the server. */
  push(frame: ServerMessage): void {
    if (!this.severed && !this.serverGone) this.toClient.push({ kind: "frame", data: JSON.stringify(frame) });
  }

  /** By the server. */
  end(code: number): void {
    if (!this.severed && !this.serverGone) this.toClient.push({ kind: "close", code });
    this.serverGone = true;
  }

  /** The network breaks: what is on its way to the client is lost; what is on its way to the server may still arrive. */
  cut(): void {
    this.toClient = [{ kind: "close", code: 1006 }];
    this.severed = true;
  }

  /** Everything stops and nobody is told. */
  stall(): void {
    this.toClient = [];
    this.toServer = [];
    this.severed = true;
  }

  get waitingForServer(): number {
    return this.serverGone ? 0 : this.toServer.length;
  }

  get waitingForClient(): number {
    return this.clientGone ? 0 : this.toClient.length;
  }

  deliverToServer(): void {
    const event = this.toServer.shift();
    if (!event || this.serverGone) return;
    if (event.kind === "open") this.handshake();
    else if (event.kind === "frame") this.listener.frame(this, JSON.parse(event.data) as ClientMessage);
    else this.listener.closed(this);
  }

  deliverToClient(): void {
    const event = this.toClient.shift();
    if (!event || this.clientGone) return;
    if (event.kind === "open") this.onopen?.();
    else if (event.kind === "frame") this.onmessage?.({ data: event.data });
    else {
      this.clientGone = true;
      this.onclose?.({ code: event.code, reason: "" });
    }
  }

  private handshake(): void {
    if (this.listener.upgrade(this) === 101) {
      if (!this.severed) this.toClient.push({ kind: "open" });
    } else this.end(1006);
  }
}

/** The wires of everybody who connects to one server. */
export class Network {
  readonly wires: Wire[] = [];

  constructor(private readonly listener: Listener) {}

  readonly socket: SocketFactory = (url, protocols) => {
    const wire = new Wire(this.listener, url, protocols);
    this.wires.push(wire);
    return wire;
  };

  /** The newest one. */
  get wire(): Wire {
    const wire = this.wires.at(-1);
    if (!wire) throw new Error("nobody has connected");
    return wire;
  }

  /** Delivers until nothing is on its way, letting promises settle in between. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2;) {
      await tick();
      const busy = this.wires.filter((wire) => wire.waitingForServer + wire.waitingForClient > 0);
      quiet = busy.length === 0 ? quiet + 1 : 0;
      busy.forEach((wire) => {
        while (wire.waitingForServer > 0) wire.deliverToServer();
        while (wire.waitingForClient > 0) wire.deliverToClient();
      });
    }
  }
}

/** Lets every promise that can settle do so. */
export function tick(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
