import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DocumentSession, type LostEvent, open, platformSocket, type Socket } from "../src/index.js";
import { insidePair, insertedText } from "../src/delta/parts.js";
import type { DeltaOp } from "../src/protocol.gen.js";
import { Random } from "./support/random.js";

/** `QUIRE_URL=http://127.0.0.1:PORT npm run test:real`, against a server that takes guests. */
const url = process.env.QUIRE_URL;
if (url === undefined) throw new Error("QUIRE_URL names the server to test against, for example http://127.0.0.1:8080");
const server: string = url;

const WAIT = { timeout: 30_000 };

let doc: string;
let opened: DocumentSession[] = [];

beforeEach(async () => {
  doc = await create([{ insert: "\n" }]);
});

afterEach(() => {
  opened.forEach((session) => session.close());
  opened = [];
});

function read(path: string): Promise<string> {
  return readFile(new URL(path, import.meta.url), "utf8");
}

/** Runs a program on the package as it is built, and gives the lines that it has written. */
async function run(program: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: new URL("..", import.meta.url),
    env: { ...process.env, QUIRE_URL: server },
    timeout: 20_000,
  });
  return stdout.split("\n");
}

async function create(content: DeltaOp[]): Promise<string> {
  const response = await fetch(`${server}/v1/docs`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ title: "SDK", content, id: `sdk-${randomUUID()}` }),
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { id: string }).id;
}

async function onServer(): Promise<{ version: number; content: DeltaOp[] }> {
  const response = await fetch(`${server}/v1/docs/${doc}/content?format=delta`);
  return (await response.json()) as { version: number; content: DeltaOp[] };
}

async function join(more: Partial<Parameters<typeof open>[0]> = {}): Promise<DocumentSession> {
  const session = open({ url: server, doc, ...more });
  opened.push(session);
  await session.whenReady();
  return session;
}

function text({ content }: DocumentSession): string {
  return insertedText(content.ops as DeltaOp[]);
}

async function agree(sessions: DocumentSession[]): Promise<void> {
  await Promise.all(sessions.map((session) => session.whenSaved()));
  await expect
    .poll(async () => {
      const { version } = await onServer();
      return sessions.every((session) => session.version === version && session.saved);
    }, WAIT)
    .toBe(true);
  const { content } = await onServer();
  for (const session of sessions) expect(session.content.ops).toEqual(content);
}

describe("a real server", () => {
  it("runs the example of the README, on the package as it is built", async () => {
    const said = await run(/```js\n(.*?)```/s.exec(await read("../README.md"))?.[1] ?? "");
    expect(said[0]).toBe("remote [ { insert: 'milk, bread\\n' } ]");
  });

  it("runs the example of the project, which needs nothing else", async () => {
    const example = /```ts\n(.*?)```/s.exec(await read("../../../README.md"))?.[1] ?? "";
    expect(example.match(/^import .*/gm)).toEqual(['import { Delta, open } from "@quire/client";']);
    // It keeps its document open.
    const end = 'doc.on("saved", ({ saved }) => saved && doc.close());';
    const said = await run(`${example.replaceAll("http://127.0.0.1:8080", server)}${end}`);
    expect(said).toEqual(['local [{"insert":"Hello, world\\n"}]', "all changes saved, version 2", ""]);
  });

  it("saves what is typed, and shows it to others", async () => {
    const [ann, bob] = [await join({ name: "Ann" }), await join({ name: "Bob" })];
    ann.edit([{ insert: "Hello 😀" }]);
    await expect.poll(() => text(bob), WAIT).toBe("Hello 😀\n");
    bob.edit([{ retain: 5, attributes: { bold: true } }]);
    await agree([ann, bob]);
    expect(ann.user?.name).toBe("Ann");
    expect(ann.savedAt).toBeGreaterThan(1_600_000_000_000);
  });

  it("shows who is there, and where", async () => {
    const [ann, bob] = [await join(), await join({ name: "Bob" })];
    bob.edit([{ insert: "0123456789" }]);
    bob.setPresence({ cursor: { index: 4, length: 2 }, status: "selecting" });
    await expect.poll(() => ann.peers[0]?.state?.cursor, WAIT).toEqual({ index: 4, length: 2 });
    expect(ann.peers[0]?.user.name).toBe("Bob");
    bob.close();
    await expect.poll(() => ann.peers, WAIT).toEqual([]);
  });

  it("takes a paste of two megabytes in pieces", { timeout: 60_000 }, async () => {
    const ann = await join();
    const paste = "All work and no play makes 😀 a dull boy.\n".repeat(50_000);
    ann.edit([{ insert: paste }]);
    await agree([ann]);
    expect(text(ann)).toBe(`${paste}\n`);
  });

  it("refuses what it must, and the rest stays", async () => {
    const ann = await join();
    const lost: LostEvent[] = [];
    ann.on("lost", (event) => lost.push(event));
    ann.edit([{ insert: "kept" }]);
    expect(() => ann.edit([{ retain: 99 }, { insert: "x" }])).toThrow();
    await agree([ann]);
    expect(lost).toEqual([]);
    expect(text(ann)).toBe("kept\n");
  });

  it("loses nothing while four people type and their sockets break", { timeout: 120_000 }, async () => {
    const random = new Random(1);
    const sockets: Socket[] = [];
    const lost: LostEvent[] = [];
    const breakable: typeof platformSocket = async (address, protocols) => {
      const socket = await platformSocket(address, protocols);
      sockets.push(socket);
      return socket;
    };
    const sessions = await Promise.all([1, 2, 3, 4].map(() => join({ socket: breakable })));
    sessions.forEach((session) => session.on("lost", (event) => lost.push(event)));
    const typed = new Set<string>();
    for (let step = 0; step < 400; step += 1) {
      const session = random.pick(sessions);
      const character = String.fromCodePoint((step % 3 === 0 ? 0x20000 : 0x4e00) + step);
      typed.add(character);
      const before = text(session);
      const at = random.below(before.length);
      session.edit([{ retain: insidePair(before, at) ? at + 1 : at }, { insert: character }]);
      if (random.chance(0.02)) random.pick(sockets).close();
      // Lets frames arrive in between; what is typed within one turn would go out as one operation.
      if (random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
      if (random.chance(0.05)) sessions.forEach((other) => other.retryNow());
    }
    await expect.poll(() => sessions.every((session) => session.saved), { timeout: 60_000 }).toBe(true);
    await agree(sessions);
    expect(lost).toEqual([]);
    const kept = Array.from(text(random.pick(sessions))).filter((character) => typed.has(character));
    expect(kept.sort()).toEqual(Array.from(typed).sort());
  });
});
