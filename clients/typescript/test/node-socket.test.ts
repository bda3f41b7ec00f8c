import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { open } from "../src/index.js";
import type { DocumentSession } from "../src/api.js";
import type { Welcome } from "../src/protocol.gen.js";
import { LIMITS } from "./support/server.js";

const WELCOME: Welcome = {
  type: "welcome",
  session: "s",
  doc: "doc",
  kind: "rich-text",
  history: "h",
  version: 1,
  role: "editor",
  user: { id: "guest:x", name: "Guest", color: "#336699" },
  last_seq: 0,
  peers: [],
  limits: LIMITS,
  content: [{ insert: "over a real socket\n" }],
};

let server: WebSocketServer | undefined;
let session: DocumentSession | undefined;

afterEach(() => {
  session?.close();
  server?.close();
});

/** A real server on this machine that greets everybody. */
async function listen(greet: (socket: WebSocket) => void): Promise<string> {
  const listening = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: () => "quire.v1" });
  server = listening;
  listening.on("connection", (socket) => {
    socket.on("message", (data: Buffer) => {
      if (data.toString().includes('"hello"')) greet(socket);
    });
  });
  await new Promise((resolve) => listening.once("listening", resolve));
  return `ws://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

describe("on Node, with no socket given", () => {
  it("connects", async () => {
    const url = await listen((socket) => {
      socket.send(JSON.stringify(WELCOME));
    });
    session = open({ url, doc: "doc", token: () => "a.b.c" });
    await session.whenReady();
    expect(session.content.ops).toEqual(WELCOME.content);
    expect(session.connection.state).toBe("connected");
  });

  it("notices when the server is gone, and asks why over HTTP", async () => {
    const url = await listen((socket) => {
      socket.send(JSON.stringify(WELCOME));
      socket.terminate();
    });
    session = open({ url, doc: "doc" });
    await session.whenReady();
    await expect.poll(() => session?.connection.state).toBe("reconnecting");
    await new Promise((resolve) => server?.close(resolve));
    session.retryNow();
    await expect.poll(() => session?.connection).toMatchObject({ state: "reconnecting", reason: "lost" });
  });

  it("can be closed while it is still opening", async () => {
    const url = await listen(() => undefined);
    session = open({ url, doc: "doc" });
    const ready = session.whenReady();
    await new Promise((resolve) => setImmediate(resolve));
    session.close();
    await expect(ready).rejects.toMatchObject({ code: "closed" });
  });
});
