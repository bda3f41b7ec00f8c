import { QuireError } from "@quire/client";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Identity } from "../src/identity";

const ENTRANCE = { sign_in: true, registration: false, guests: true, guests_create: true, link_role: "editor", remembered: true };
const ADA = { id: "usr_ada", name: "Ada", admin: false, may_create: true };

/** A server with one sign-in, whose refresh token is good once: reuse ends it, as the real one does. */
class FakeServer {
  remembered = true;
  alive = true;
  exchanges = 0;
  busy = 0;
  most = 0;
  readonly asked: string[] = [];

  readonly fetch = async (path: string): Promise<Response> => {
    this.asked.push(path);
    if (path === "/v1/auth") return Response.json({ ...ENTRANCE, remembered: this.remembered });
    if (path === "/v1/auth/logout") {
      this.alive = false;
      return new Response(null, { status: 204 });
    }
    // Two at a time would use one token twice.
    this.busy += 1;
    this.most = Math.max(this.most, this.busy);
    await Promise.resolve();
    this.busy -= 1;
    if (path === "/v1/auth/login") this.alive = true;
    if (!this.alive) return Response.json({ code: "unauthorized" }, { status: 401 });
    this.exchanges += 1;
    return Response.json({ user: ADA, access_token: `token-${this.exchanges}`, expires_at: Date.now() + 3_600_000 });
  };
}

/** What all windows of a browser have in common: one lock. */
function locks() {
  let last: Promise<unknown> = Promise.resolve();
  return {
    request: <T>(_name: string, act: () => Promise<T>): Promise<T> => {
      const mine = last.then(act, act);
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

const channels = new Set<Channel>();

class Channel {
  onmessage: ((event: { data: unknown }) => void) | undefined;

  constructor() {
    channels.add(this);
  }

  postMessage(data: unknown): void {
    for (const other of channels) if (other !== this) other.onmessage?.({ data });
  }
}

let server: FakeServer;
let stored: Map<string, string>;

beforeEach(() => {
  server = new FakeServer();
  stored = new Map();
  channels.clear();
  vi.stubGlobal("fetch", server.fetch);
  vi.stubGlobal("navigator", { locks: locks() });
  vi.stubGlobal("BroadcastChannel", Channel);
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
    removeItem: (key: string) => stored.delete(key),
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function window(): Promise<Identity> {
  const { Identity } = await import("../src/identity");
  return new Identity();
}

it("asks nothing on behalf of somebody whom the browser does not remember", async () => {
  server.remembered = false;
  const identity = await window();
  expect(await identity.who()).toBeUndefined();
  expect(await identity.fetchToken()).toBeUndefined();
  expect(server.asked).toEqual(["/v1/auth"]);
});

it("makes a guest of somebody whose cookie is of no use any more", async () => {
  server.alive = false;
  const identity = await window();
  expect(await identity.who()).toBeUndefined();
  expect(identity.ended).toBe(false);
  expect(await identity.fetchToken()).toBeUndefined();
});

it("exchanges once for all who ask at a time, and one window after the other", async () => {
  const [one, other] = [await window(), await window()];
  const tokens = await Promise.all([one.fetchToken(), one.fetchToken(), other.fetchToken()]);
  expect(new Set(tokens)).toEqual(new Set(["token-1", "token-2"]));
  expect(server.most).toBe(1);
  expect(await one.fetchToken()).toBe(tokens[0]);
  expect(server.exchanges).toBe(2);
});

it("exchanges a token that was refused, and one that is about to end", async () => {
  vi.useFakeTimers();
  const identity = await window();
  const first = await identity.fetchToken();
  const second = await identity.fetchToken(first);
  expect(second).not.toBe(first);
  vi.setSystemTime(Date.now() + 3_599_000);
  expect(await identity.fetchToken()).not.toBe(second);
});

it("waits for the answer to a page that was left in the middle of its question", async () => {
  vi.useFakeTimers();
  stored.set("quire.refreshing", String(Date.now()));
  const identity = await window();
  const who = identity.who();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(server.exchanges).toBe(0);
  await vi.advanceTimersByTimeAsync(1_500);
  expect((await who)?.name).toBe("Ada");
  expect(stored.size).toBe(0);
});

it("does not make a guest of somebody who was signed out, and asks no more until they sign in", async () => {
  const identity = await window();
  const heard: (string | undefined)[] = [];
  identity.onChange((user) => heard.push(user?.name));
  const token = await identity.fetchToken();
  server.alive = false;
  await expect(identity.fetchToken(token)).rejects.toBeInstanceOf(QuireError);
  const { length } = server.asked;
  await expect(identity.fetchToken()).rejects.toMatchObject({ code: "unauthorized" });
  expect(server.asked).toHaveLength(length);
  expect(identity.ended).toBe(true);
  await identity.signIn("ada@example.org", "correct horse");
  expect(await identity.fetchToken()).toBeDefined();
  expect(heard).toEqual(["Ada", undefined, "Ada"]);
});

it("tells other windows who signs in and out", async () => {
  server.alive = false;
  const [one, other] = [await window(), await window()];
  await Promise.all([one.who(), other.who()]);
  const heard = vi.fn();
  other.onChange(heard);
  await one.signIn("ada@example.org", "correct horse");
  await vi.waitFor(() => expect(heard).toHaveBeenLastCalledWith(ADA));
  await one.signOut();
  expect(one.ended).toBe(false);
  await vi.waitFor(() => expect(other.ended).toBe(true));
});
