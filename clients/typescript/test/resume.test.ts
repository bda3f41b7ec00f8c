import { describe, expect, it } from "vitest";
import type { ChangeEvent } from "../src/api.js";
import type { Hello, OpMessage } from "../src/protocol.gen.js";
import { LIMITS } from "./support/server.js";
import { Story } from "./support/story.js";

function hellos({ server }: Story): Hello[] {
  return server.received.filter((frame) => frame.type === "hello");
}

function operations({ server }: Story): OpMessage[] {
  return server.received.filter((frame) => frame.type === "op");
}

describe("after a loss of the connection", () => {
  it("resumes from the version that it holds", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.network.wire.cut();
    await story.settle();
    expect(ann.session.connection.state).toBe("reconnecting");
    story.server.insert(3, " two");
    await story.pass(1_000);
    expect(ann.text()).toBe("one two\n");
    expect(ann.session.connection.state).toBe("connected");
    expect(hellos(story)[1]).toMatchObject({ since: 1, history: story.server.history, client: ann.session.client });
  });

  it("sends what was typed meanwhile, rebased", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.network.wire.cut();
    await story.settle();
    ann.type(3, " ann");
    ann.type(7, "!");
    story.server.insert(0, "bob ");
    await story.pass(1_000);
    expect(story.text).toBe("bob one ann!\n");
    expect(ann.text()).toBe(story.text);
    expect(operations(story).map(({ base }) => base)).toEqual([2]);
  });

  it("takes its own operation in the stream for its acknowledgement, and does not send it twice", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    ann.type(3, "!");
    ann.type(4, "?");
    story.server.network.wire.deliverToServer();
    story.server.network.wire.cut();
    await story.settle();
    expect(ann.session.saved).toBe(false);
    await story.pass(1_000);
    expect(story.text).toBe("one!?\n");
    expect(ann.text()).toBe("one!?\n");
    expect(operations(story).map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it("drops nothing on the word of `last_seq`: the operation has to come in the stream", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    ann.type(3, "!");
    story.server.network.wire.deliverToServer();
    story.server.network.wire.cut();
    await story.settle();
    story.clock.advance(1_000);
    // Only the welcome has arrived, not yet the operations after it.
    const held = ann.session.holdRemote();
    await story.settle();
    expect(ann.session.saved).toBe(false);
    expect(ann.text()).toBe("one!\n");
    held();
    expect(ann.session.saved).toBe(true);
    expect(ann.text()).toBe("one!\n");
    expect(ann.session.version).toBe(2);
  });

  it("sends an operation again under its number, rebased, if the server does not have it", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    ann.type(3, "!");
    story.server.network.wire.stall();
    story.server.insert(0, "zero ");
    await story.pass(15_000);
    await story.pass(1_000);
    expect(operations(story)).toEqual([{ type: "op", seq: 1, base: 2, delta: [{ retain: 8 }, { insert: "!" }] }]);
    expect(story.text).toBe("zero one!\n");
  });

  it("sends it again even if rebasing has emptied it", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    ann.erase(0, 3);
    story.server.network.wire.stall();
    story.server.write([{ delete: 3 }]);
    await story.pass(15_000);
    await story.pass(1_000);
    expect(operations(story)).toEqual([{ type: "op", seq: 1, base: 2, delta: [] }]);
    expect(ann.session.saved).toBe(true);
    expect(story.server.version).toBe(3);
  });

  it("forgets an edit that was never sent and that rebasing has emptied", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.network.wire.cut();
    await story.settle();
    ann.erase(0, 3);
    story.server.write([{ delete: 3 }]);
    await story.pass(1_000);
    expect(operations(story)).toEqual([]);
    expect(ann.session.saved).toBe(true);
  });

  it("sends one that rebasing has grown over a limit as it was first sent", async () => {
    const story = new Story("0123456789\n");
    story.server.limits = { ...LIMITS, ops: 10 };
    const ann = await story.join();
    ann.erase(0, 10);
    story.server.network.wire.stall();
    // Ten inserts in between cut the one delete into eleven.
    for (let at = 0; at < 10; at += 1) story.server.insert(2 * at + 1, "x");
    await story.pass(15_000);
    await story.pass(1_000);
    expect(operations(story)).toEqual([{ type: "op", seq: 1, base: 1, delta: [{ delete: 10 }] }]);
    expect(story.text).toBe("xxxxxxxxxx\n");
    expect(ann.text()).toBe(story.text);
  });

  it("gives such a one back to the user if even that is too old", async () => {
    const story = new Story("0123456789\n");
    story.server.limits = { ...LIMITS, ops: 10, base_lag: 5 };
    const ann = await story.join();
    ann.erase(0, 10);
    ann.type(0, "new ");
    story.server.network.wire.stall();
    for (let at = 0; at < 10; at += 1) story.server.insert(2 * at + 1, "x");
    await story.pass(15_000);
    await story.pass(1_000);
    expect(ann.lost.map(({ code }) => code)).toEqual(["too_large"]);
    expect(story.text).toBe("0x1x2x3x4x5x6x7x8x9xnew \n");
    expect(ann.text()).toBe(story.text);
    expect(ann.session.saved).toBe(true);
  });

  it("skips versions that it holds", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.insert(0, "x");
    story.server.insert(0, "y");
    await story.settle();
    story.server.repeat(2);
    await story.settle();
    story.server.insert(0, "z");
    story.server.repeat(3);
    await story.settle();
    expect(ann.text()).toBe("zyxone\n");
    expect(ann.session.version).toBe(4);
  });

  it("resumes when operations are missing", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.tell({ type: "ops", base: 5, ops: [{ client: "x", seq: 1, user: "x", at: 1, delta: [] }] });
    await story.settle();
    expect(ann.session.connection).toMatchObject({ state: "reconnecting", reason: "lost" });
    await story.pass(1_000);
    expect(ann.session.connection.state).toBe("connected");
    expect(ann.session.version).toBe(1);
  });

  it("lets `ack` settle nothing by itself", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.autoCommit = false;
    ann.type(0, "x");
    await story.settle();
    story.server.tell({ type: "ack", seq: 1, version: 2 });
    await story.settle();
    expect(ann.session.saved).toBe(false);
    story.server.commit();
    await story.settle();
    expect(ann.session.saved).toBe(true);
    expect(ann.text()).toBe("xone\n");
  });

  it("fetches everything if an `ack` names a version that it holds without the operation", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.autoCommit = false;
    ann.type(0, "x");
    await story.settle();
    story.server.tell({ type: "ack", seq: 1, version: 1 });
    await story.settle();
    expect(ann.session.connection.reason).toBe("diverged");
  });

  it("applies an own operation that is not in flight like anybody's", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.insert(0, "late copy ", ann.session.client);
    await story.settle();
    expect(ann.text()).toBe("late copy one\n");
    // Its number is used up.
    ann.type(0, "x");
    await story.settle();
    expect(operations(story).map(({ seq }) => seq)).toEqual([2]);
    expect(ann.text()).toBe("xlate copy one\n");
    expect(story.text).toBe(ann.text());
  });

  it("shows a thousand missed operations in a few changes", async () => {
    const story = new Story("\n");
    const ann = await story.join();
    story.server.network.wire.cut();
    await story.settle();
    for (let n = 0; n < 1_000; n += 1) story.server.insert(n, "x");
    let changes = 0;
    ann.session.on("change", () => (changes += 1));
    await story.pass(1_000);
    expect(ann.text()).toBe(`${"x".repeat(1_000)}\n`);
    expect(changes).toBe(10);
  });
});

describe("when the content is replaced", () => {
  it("shows the new one and hands what was pending to the user", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    const changes: ChangeEvent[] = [];
    ann.session.on("change", (change) => changes.push(change));
    story.server.network.wire.cut();
    await story.settle();
    ann.type(3, " pending");
    const before = ann.session.content;
    story.server.restore([{ insert: "restored\n" }]);
    await story.pass(1_000);
    expect(ann.text()).toBe("restored\n");
    expect(ann.lost.map(({ code, text }) => ({ code, text }))).toEqual([{ code: "reset", text: " pending" }]);
    const reset = changes.at(-1);
    expect(reset?.source).toBe("reset");
    expect(reset && before.compose(reset.delta).ops).toEqual(ann.session.content.ops);
    expect(ann.session.canUndo).toBe(false);
    ann.type(0, "on ");
    await story.settle();
    expect(story.text).toBe("on restored\n");
  });

  it("counts an operation in flight as saved if its number says so", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    ann.type(3, "!");
    ann.type(0, "later ");
    const { wire } = story.server.network;
    wire.deliverToServer();
    wire.cut();
    await story.settle();
    // A later version than the server has: it answers with everything, the operation in flight included.
    story.server.history = "33333333-3333-4333-8333-333333333333";
    await story.pass(1_000);
    expect(ann.text()).toBe("one!\n");
    expect(ann.lost.map(({ text }) => text)).toEqual(["later "]);
  });

  it("compares the hash, and starts anew if this copy has diverged", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.hash = () => "0123456789abcdef";
    story.server.insert(0, "x");
    await story.settle();
    story.server.hash = undefined;
    await expect.poll(() => ann.session.connection.reason).toBe("diverged");
    await story.pass(1_000);
    expect(ann.session.connection.state).toBe("connected");
    expect(hellos(story)[1]).toMatchObject({ diverged: 2 });
    expect(hellos(story)[1]?.since).toBeUndefined();
    // Once is enough: the next time it resumes.
    story.server.network.wire.cut();
    await story.settle();
    await story.pass(2_000);
    expect(hellos(story)[2]).toMatchObject({ since: 2 });
    expect(hellos(story)[2]?.diverged).toBeUndefined();
  });

  it("starts anew after a frame that cannot be applied", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    story.server.tell({ type: "ops", base: 1, ops: [null as never] });
    await story.settle();
    expect(ann.session.connection.reason).toBe("diverged");
    await story.pass(1_000);
    expect(ann.session.connection.state).toBe("connected");
    expect(ann.text()).toBe("one\n");
  });

  it("takes the server's form of an own operation that came back otherwise", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    const errors: string[] = [];
    ann.session.on("error", ({ code }) => errors.push(code));
    story.server.autoCommit = false;
    ann.type(3, "!");
    ann.type(0, "on top ");
    await story.settle();
    story.server.autoCommit = true;
    story.server.write([{ retain: 3 }, { insert: "?" }], ann.session.client);
    await story.settle();
    expect(ann.text()).toBe("on top one?\n");
    expect(errors).toEqual(["internal"]);
  });
});

describe("a client id", () => {
  it("that belongs to another user is given up, and the queue handed over", async () => {
    const story = new Story("one\n");
    const id = "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA";
    const ann = await story.join({ client: id });
    expect(ann.session.client).toBe(id.toLowerCase());
    story.server.network.wire.cut();
    await story.settle();
    ann.type(0, "mine ");
    story.server.foreign.add(id.toLowerCase());
    await story.pass(1_000);
    await story.pass(2_000);
    expect(ann.session.client).not.toBe(id.toLowerCase());
    expect(ann.text()).toBe("one\n");
    expect(ann.lost.map(({ code, text }) => ({ code, text }))).toEqual([{ code: "forbidden", text: "mine " }]);
    ann.type(0, "again ");
    await story.settle();
    expect(story.text).toBe("again one\n");
  });

  it("that was given begins with numbers that an earlier life has not used", async () => {
    const story = new Story("one\n");
    const ann = await story.join({ client: "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb" });
    ann.type(0, "x");
    await story.settle();
    expect(operations(story)[0]?.seq).toBeGreaterThan(1_600_000_000_000);
  });
});
