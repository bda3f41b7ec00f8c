import { describe, expect, it } from "vitest";
import type { ConnectionStatus } from "../src/api.js";
import { documentUrls, offeredProtocols } from "../src/protocol.js";
import { tick } from "./support/network.js";
import { type Actor, Story } from "./support/story.js";

/** How long the session says that it waits, in seconds. */
function wait(story: Story, { session }: Actor): number {
  return ((session.connection.retryAt ?? NaN) - story.clock.now()) / 1_000;
}

/** Lets the wait end, and the next attempt fail or succeed. */
async function nextAttempt(story: Story): Promise<void> {
  await story.pass(story.clock.untilNext() ?? 0);
}

describe("connecting", () => {
  it("says what it does", async () => {
    const story = new Story("one\n");
    const ann = story.open();
    expect(ann.session.connection.state).toBe("connecting");
    const states: ConnectionStatus["state"][] = [];
    ann.session.on("connection", ({ state }) => states.push(state));
    const ready = ann.session.whenReady();
    await story.settle();
    await ready;
    expect(states).toEqual(["connected"]);
  });

  it("addresses the document on the server, whatever the scheme and the path", () => {
    expect(documentUrls("http://host:8080", "a~b")).toEqual({
      socket: "ws://host:8080/v1/collab/a~b",
      metadata: "http://host:8080/v1/docs/a~b",
    });
    expect(documentUrls("wss://host/quire/", "d")).toEqual({
      socket: "wss://host/quire/v1/collab/d",
      metadata: "https://host/quire/v1/docs/d",
    });
  });

  it("offers the token as a second subprotocol, never in the URL", async () => {
    expect(offeredProtocols(undefined)).toEqual(["quire.v1"]);
    const story = new Story("one\n");
    await story.join({ token: () => Promise.resolve("a.b.c") });
    const { wire } = story.server.network;
    expect(wire.protocols).toEqual(["quire.v1", "bearer.a.b.c"]);
    expect(wire.url).toBe("ws://quire.test/v1/collab/doc");
  });
});

describe("back-off", () => {
  it("is 1, 2, 4, 8, 16, 30, 30 s, with jitter", async () => {
    const story = new Story("one\n");
    story.server.status = 0;
    const ann = await story.join();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 7; attempt += 1) {
      waits.push(wait(story, ann) / 0.75);
      await nextAttempt(story);
    }
    // The clock's chance is 0.5: three quarters of each.
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30]);
    expect(ann.session.connection).toMatchObject({ state: "reconnecting", reason: "lost" });
  });

  it("begins anew after a connection that lasted, not after one that was closed at once", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.closeAll(1012);
    await story.settle();
    expect(wait(story, ann)).toBe(0.75);
    await nextAttempt(story);
    story.server.closeAll(1012);
    await story.settle();
    expect(wait(story, ann)).toBe(1.5);
    await nextAttempt(story);
    await story.pass(10_000);
    story.server.closeAll(1012);
    await story.settle();
    expect(wait(story, ann)).toBe(0.75);
  });

  it("begins anew after a connection that lasted and that the server asked to leave", async () => {
    const story = new Story("one\n");
    story.server.status = 0;
    const ann = await story.join();
    for (let attempt = 0; attempt < 3; attempt += 1) await nextAttempt(story);
    story.server.status = 101;
    await nextAttempt(story);
    await story.pass(10_000);
    story.server.tell({ type: "reconnect", reason: "draining", after_ms: 200 });
    await story.settle();
    story.server.status = 0;
    await nextAttempt(story);
    expect(wait(story, ann)).toBe(0.75);
  });

  it("is what the server asks for, if it asks", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.tell({ type: "reconnect", reason: "draining", after_ms: 4_200 });
    await story.settle();
    expect(wait(story, ann)).toBe(4.2);
    expect(ann.session.connection).toMatchObject({ state: "reconnecting", reason: "draining" });
    await story.pass(4_200);
    expect(ann.session.connection.state).toBe("connected");
  });

  it("ends when the user wants, and when the network is back", async () => {
    const story = new Story("one\n");
    story.server.status = 0;
    const ann = await story.join();
    story.server.status = 101;
    ann.session.retryNow();
    await story.settle();
    expect(ann.session.connection.state).toBe("connected");

    ann.session.setOnline(false);
    story.server.network.wire.cut();
    await story.settle();
    expect(ann.session.connection.state).toBe("offline");
    ann.session.setOnline(true);
    await story.settle();
    expect(ann.session.connection.state).toBe("connected");
  });
});

describe("a handshake that fails", () => {
  it.each([
    [403, "forbidden"],
    [404, "not_found"],
    [401, "unauthorized"],
  ] as const)("stops at %i", async (status, reason) => {
    const story = new Story("one\n");
    story.server.status = status;
    const ann = await story.join();
    expect(ann.session.connection).toEqual({ state: "closed", reason });
    await expect(ann.session.whenReady()).rejects.toMatchObject({ code: "closed" });
    expect(story.clock.untilNext()).toBeUndefined();
  });

  it("waits as long as Retry-After says, in seconds or as a date", async () => {
    const story = new Story("one\n");
    story.server.status = 429;
    story.server.retryAfter = "7";
    const ann = await story.join();
    expect(wait(story, ann)).toBe(7);
    expect(ann.session.connection.reason).toBe("rate_limited");
    story.server.status = 503;
    story.server.retryAfter = new Date(story.clock.now() + 27_000).toUTCString();
    await nextAttempt(story);
    expect(wait(story, ann)).toBe(20);
    expect(ann.session.connection.reason).toBe("unavailable");
  });

  it("is not tried again at once, even if Retry-After says so", async () => {
    const story = new Story("one\n");
    story.server.status = 503;
    story.server.retryAfter = "0";
    await story.join();
    await story.pass(5_000);
    expect(story.server.network.wires.length).toBeLessThanOrEqual(6);
  });

  it("gets a new token at 401, telling which one was refused, and slows down if that is refused too", async () => {
    const story = new Story("one\n");
    story.server.status = 401;
    const rejected: (string | undefined)[] = [];
    const ann = await story.join({
      token: (refused) => {
        rejected.push(refused);
        return `token-${rejected.length}`;
      },
    });
    expect(wait(story, ann)).toBe(0);
    await nextAttempt(story);
    expect(wait(story, ann)).toBe(0.75);
    story.server.status = 101;
    await nextAttempt(story);
    expect(rejected).toEqual([undefined, "token-1", "token-2"]);
    expect(ann.session.connection.state).toBe("connected");
  });

  it("tries again later if no token can be had", async () => {
    const story = new Story("one\n");
    const ann = await story.join({ token: () => Promise.reject(new Error("the login is down")) });
    expect(ann.session.connection).toMatchObject({ state: "reconnecting", reason: "lost" });
  });

  it("asks a silent token provider again when the user retries, and keeps no late answer of the first", async () => {
    const story = new Story("one\n");
    const answers: ((token: string) => void)[] = [];
    const rejected: (string | undefined)[] = [];
    const ann = await story.join({
      token: (refused) => {
        rejected.push(refused);
        return new Promise((resolve) => answers.push(resolve));
      },
    });
    expect(story.clock.untilNext()).toBeUndefined();
    story.server.status = 401;
    ann.session.retryNow();
    await story.settle();
    expect(answers).toHaveLength(2);
    answers[1]?.("second");
    answers[0]?.("first");
    await story.settle();
    expect(story.server.network.wire.protocols).toContain("bearer.second");
    expect(story.server.network.wires).toHaveLength(1);
    story.server.status = 101;
    await nextAttempt(story);
    expect(rejected.at(-1)).toBe("second");
    answers[2]?.("third");
    await story.settle();
    expect(ann.session.connection.state).toBe("connected");
  });

  it("means that the document was deleted, if it was open before", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    let deleted = 0;
    ann.session.on("deleted", () => (deleted += 1));
    story.server.status = 404;
    story.server.closeAll(1012);
    await story.settle();
    await nextAttempt(story);
    expect(deleted).toBe(1);
    expect(ann.session.connection).toEqual({ state: "closed", reason: "deleted" });
  });
});

describe("close codes", () => {
  it.each([
    [4403, "forbidden"],
    [4404, "deleted"],
    [4409, "replaced"],
  ] as const)("%i ends the session", async (code, reason) => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.closeAll(code);
    await story.settle();
    expect(ann.session.connection).toEqual({ state: "closed", reason });
    expect(ann.session.canEdit).toBe(false);
    await story.pass(60_000);
    expect(story.server.connected).toEqual([]);
  });

  it("4401 asks for a new token", async () => {
    const story = new Story("one\n");
    const given: (string | undefined)[] = [];
    const ann = await story.join({ token: (refused) => `${given.push(refused)}` });
    story.server.closeAll(4401);
    await story.settle();
    await nextAttempt(story);
    expect(given).toEqual([undefined, "1"]);
    expect(ann.session.connection.state).toBe("connected");
  });
});

describe("a session that was replaced", () => {
  it("does not come back by itself, but does when the user wants", async () => {
    const story = new Story("one\n");
    const client = "cccccccc-cccc-4ccc-8ccc-cccccccccccc";
    const ann = await story.join({ client });
    const tab = await story.join({ client });
    expect(ann.session.connection).toEqual({ state: "closed", reason: "replaced" });
    expect(tab.session.connection.state).toBe("connected");
    ann.session.retryNow();
    await story.settle();
    expect(ann.session.connection.state).toBe("connected");
    expect(tab.session.connection).toEqual({ state: "closed", reason: "replaced" });
  });

  it("comes back if it was replaced by its own ghost: a socket that it gave up within two minutes", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.network.wire.stall();
    await story.pass(15_000);
    await nextAttempt(story);
    expect(ann.session.connection.state).toBe("connected");
    story.server.tell({ type: "reconnect", reason: "replaced", after_ms: 0 });
    await story.settle();
    expect(ann.session.connection).toMatchObject({ state: "reconnecting", reason: "replaced" });
    await nextAttempt(story);
    expect(ann.session.connection.state).toBe("connected");

    await story.pass(120_000);
    story.server.tell({ type: "reconnect", reason: "replaced", after_ms: 0 });
    await story.settle();
    expect(ann.session.connection).toEqual({ state: "closed", reason: "replaced" });
  });
});

describe("silence", () => {
  it("is broken with a ping after 10 s, and is the end after 15 s", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    const pings = (): number => story.server.received.filter(({ type }) => type === "ping").length;
    await story.pass(9_999);
    expect(pings()).toBe(0);
    await story.pass(1);
    expect(pings()).toBe(1);
    // The pong counts as a sign of life.
    await story.pass(9_999);
    expect(pings()).toBe(1);
    story.server.network.wire.stall();
    await story.pass(5_000);
    expect(ann.session.connection.state).toBe("connected");
    await story.pass(1);
    expect(ann.session.connection).toMatchObject({ state: "reconnecting", reason: "silent" });
  });

  it("is not the end while timers are late: whoever is asked is given time to answer", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    // A page that nobody looks at, in which timers fire once a minute.
    for (let minute = 0; minute < 5; minute += 1) {
      story.clock.leap(60_000);
      await story.settle();
    }
    expect(ann.session.connection.state).toBe("connected");
    expect(story.server.network.wires).toHaveLength(1);
    story.server.network.wire.stall();
    story.clock.leap(60_000);
    story.clock.leap(60_000);
    expect(ann.session.connection).toMatchObject({ state: "reconnecting", reason: "silent" });
  });

  it("counts from the beginning of the handshake", async () => {
    const story = new Story("one\n");
    const ann = story.open();
    await tick();
    story.clock.advance(15_000);
    expect(ann.session.connection).toMatchObject({ state: "reconnecting", reason: "silent" });
  });

  it("is not waited for that long when the device says that it is offline", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.network.wire.stall();
    ann.session.setOnline(false);
    await story.pass(3_000);
    expect(ann.session.connection.state).toBe("offline");
  });

  it("does not follow from what the device says alone: a server on this machine still answers", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    ann.session.setOnline(false);
    await story.pass(60_000);
    expect(ann.session.connection.state).toBe("connected");
  });
});

describe("a token that expires", () => {
  it("is renewed in time, and the answer says until when", async () => {
    const story = new Story("one\n");
    const ann = await story.join({ token: (old) => (old === undefined ? "first" : "second") });
    story.server.tell({ type: "role", role: "editor", expires_at: story.clock.now() + 600_000 });
    await story.settle();
    await story.pass(539_999);
    expect(story.server.received.filter(({ type }) => type === "auth")).toEqual([]);
    await story.pass(1);
    const renewals = story.server.received.filter(({ type }) => type === "auth");
    expect(renewals).toEqual([{ type: "auth", token: "second" }]);
    expect(ann.session.connection.state).toBe("connected");
  });
});

describe("a device whose clock is ahead", () => {
  it("does not ask for token after token", async () => {
    const story = new Story("one\n");
    let asked = 0;
    await story.join({ token: () => `${(asked += 1)}` });
    for (let renewal = 0; renewal < 100; renewal += 1) {
      story.server.tell({ type: "role", role: "editor", expires_at: story.clock.now() - 3_600_000 });
      await story.pass(100);
    }
    await story.pass(10_000);
    expect(asked).toBeLessThanOrEqual(4);
  });
});

describe("closing", () => {
  it("leaves nothing running", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    ann.session.setPresence({ status: "active" });
    ann.session.close();
    await story.settle();
    expect(story.clock.untilNext()).toBeUndefined();
    expect(story.server.connected).toEqual([]);
    ann.session.retryNow();
    await story.settle();
    expect(ann.session.connection).toEqual({ state: "closed", reason: "closed" });
    await expect(ann.session.whenSaved()).resolves.toBeUndefined();
  });

  it("may be done by a listener, in the middle of connecting", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    ann.session.on("connection", () => ann.session.close());
    story.server.closeAll(1012);
    await story.settle();
    await story.pass(60_000);
    expect(story.server.connected).toEqual([]);
    expect(story.clock.untilNext()).toBeUndefined();
  });

  it("ends a wait for what will not be saved any more", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.autoCommit = false;
    ann.type(0, "x");
    const saved = ann.session.whenSaved();
    ann.session.close();
    await expect(saved).rejects.toMatchObject({ code: "closed" });
  });
});
