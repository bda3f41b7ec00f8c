import Delta from "quill-delta";
import { describe, expect, it } from "vitest";
import type { ChangeEvent, LostEvent } from "../src/api.js";
import type { OpMessage } from "../src/protocol.gen.js";
import { LIMITS } from "./support/server.js";
import { type Actor, Story } from "./support/story.js";

function operations({ server }: Story): OpMessage[] {
  return server.received.filter((frame) => frame.type === "op");
}

describe("typing", () => {
  it("sends the first keystroke at once, and what follows together", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    ann.type(3, "!");
    ann.type(4, "?");
    ann.type(5, "!");
    expect(ann.text()).toBe("one!?!\n");
    expect(ann.session.saved).toBe(false);
    expect(ann.session.pendingCount).toBe(3);
    await story.settle();
    expect(story.text).toBe("one!?!\n");
    expect(operations(story).map(({ delta }) => delta)).toEqual([
      [{ retain: 3 }, { insert: "!" }],
      [{ retain: 4 }, { insert: "?!" }],
    ]);
    expect(ann.session.saved).toBe(true);
    expect(ann.session.savedAt).toBe(story.server.log.at(-1)?.at);
  });

  it("tells since when the oldest edit waits, not since when there was something to wait for", async () => {
    const story = new Story("one\n");
    story.server.autoCommit = false;
    const ann = await story.join();
    expect(ann.session.unsavedSince).toBeUndefined();
    const begin = story.clock.now();
    ann.type(0, "a");
    await story.pass(2_000);
    ann.type(1, "b");
    expect(ann.session.unsavedSince).toBe(begin);
    story.server.commit();
    await story.settle();
    // Now only the second one waits, and has for two seconds less.
    expect(ann.session.unsavedSince).toBe(begin + 2_000);
    await story.pass(1_000);
    ann.type(2, "c");
    expect(ann.session.unsavedSince).toBe(begin + 2_000);
    story.server.commit();
    await story.settle();
    story.server.commit();
    await story.settle();
    expect(ann.session.unsavedSince).toBeUndefined();
  });

  it("is not saved while something is announced that is no edit yet", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    const told: boolean[] = [];
    ann.session.on("saved", ({ saved }) => told.push(saved));
    const begin = story.clock.now();
    const done = ann.session.announceEdit();
    expect(ann.session.saved).toBe(false);
    await story.pass(500);
    expect(ann.session.unsavedSince).toBe(begin);
    done();
    done();
    expect(ann.session.saved).toBe(true);
    expect(told).toEqual([false, true]);
  });

  it("shows everybody the same, whoever was first", async () => {
    const story = new Story("ab\n");
    const [ann, bob] = [await story.join(), await story.join()];
    ann.type(1, "A");
    bob.type(1, "B");
    bob.erase(2, 1);
    await story.settle();
    expect(ann.text()).toBe(story.text);
    expect(bob.text()).toBe(story.text);
    // Ann's came first in the history, so Bob's goes to the right of it.
    expect(story.text).toBe("aAB\n");
  });

  it("normalises before it composes and before it sends", async () => {
    const story = new Story("ab\n");
    const ann = await story.join();
    ann.session.edit([{ delete: 1 }, { insert: "X", attributes: { bold: null } }, { retain: 0 }, { retain: 1 }]);
    await story.settle();
    expect(operations(story)[0]?.delta).toEqual([{ insert: "X" }, { delete: 1 }]);
  });

  it("starts no operation that is empty", async () => {
    const story = new Story("ab\n");
    const ann = await story.join();
    ann.session.edit([{ retain: 2 }]);
    ann.session.edit([]);
    await story.settle();
    expect(operations(story)).toEqual([]);
    expect(ann.session.saved).toBe(true);
  });

  it("cancels what was typed and deleted again before it was sent", async () => {
    const story = new Story("ab\n");
    const ann = await story.join();
    ann.type(0, "first");
    ann.type(0, "oops");
    ann.erase(0, 4);
    expect(ann.session.pendingCount).toBe(1);
    await story.settle();
    expect(operations(story)).toHaveLength(1);
  });

  it("cuts a large paste into pieces that fit a frame, and each goes out after the one before", async () => {
    const story = new Story("\n");
    story.server.limits = { ...LIMITS, frame_bytes: 2_000 };
    const ann = await story.join();
    const text = "0123456789 😀 ".repeat(500);
    ann.type(0, text);
    await story.settle();
    expect(story.text).toBe(`${text}\n`);
    const sizes = operations(story).map(({ delta }) => JSON.stringify(delta).length);
    expect(sizes.length).toBeGreaterThan(7);
    expect(Math.max(...sizes)).toBeLessThan(1_000);
    expect(ann.session.saved).toBe(true);
  });

  it("replaces a large text by another without ever being too large for the server", async () => {
    const story = new Story(`${"a".repeat(60_000)}b${"a".repeat(20_000)}\n`);
    story.server.limits = { ...LIMITS, frame_bytes: 40_000, document_bytes: 100_000 };
    story.server.refuse = ({ delta = [] }) =>
      story.server.content.compose(new Delta(delta)).length() > 100_000 ? "too_large" : undefined;
    const ann = await story.join();
    ann.session.edit([
      { insert: "x".repeat(70_000) },
      { delete: 60_000 },
      { retain: 1, attributes: { bold: true } },
      { delete: 20_000 },
    ]);
    const expected = [
      { insert: "x".repeat(70_000) },
      { insert: "b", attributes: { bold: true } },
      { insert: "\n" },
    ];
    expect(ann.session.content.ops).toEqual(expected);
    await story.settle();
    expect(ann.lost).toEqual([]);
    expect(story.server.content.ops).toEqual(expected);
    expect(operations(story).length).toBeGreaterThan(3);
  });

  it("refuses what cannot be sent, and applies nothing of it", async () => {
    const story = new Story("ab\n");
    story.server.limits = { ...LIMITS, frame_bytes: 2_000, document_bytes: 100_000 };
    const ann = await story.join();
    const before = ann.session.content;
    const indivisible = [
      [{ insert: { image: "x".repeat(2_000) } }],
      [{ retain: 1, attributes: { link: "x".repeat(2_000) } }],
    ];
    for (const edit of indivisible)
      expect(() => ann.session.edit(edit)).toThrow(expect.objectContaining({ code: "indivisible" }));
    const tooLarge = [{ insert: "x".repeat(100_000) }];
    expect(() => ann.session.edit(tooLarge)).toThrow(expect.objectContaining({ code: "too_large" }));
    const bad = [[{ retain: 9 }, { insert: "x" }], [{ insert: "\ud83d" }], [{ delete: 1.5 }]];
    for (const edit of bad) expect(() => ann.session.edit(edit)).toThrow(expect.objectContaining({ code: "bad_op" }));
    expect(ann.session.content).toBe(before);
    await story.settle();
    expect(operations(story)).toEqual([]);
  });

  it("is refused before there is a document, for viewers, and after the end", async () => {
    const story = new Story("ab\n");
    const early = story.open();
    expect(() => early.type(0, "x")).toThrow(expect.objectContaining({ code: "not_ready" }));
    story.server.role = "viewer";
    const viewer = await story.join();
    expect(viewer.session.canEdit).toBe(false);
    expect(() => viewer.type(0, "x")).toThrow(expect.objectContaining({ code: "read_only" }));
    early.session.close();
    expect(() => early.type(0, "x")).toThrow(expect.objectContaining({ code: "closed" }));
  });

  it("tells listeners in one order, each change on top of the one before", async () => {
    const story = new Story("ab\n");
    const ann = await story.join();
    let mirror = ann.session.content;
    const follow = ({ delta, content }: ChangeEvent): void => {
      mirror = mirror.compose(delta);
      expect(mirror.ops).toEqual(content.ops);
    };
    // The first listener answers an edit with one of its own, which the second must hear of afterwards.
    ann.session.on("change", ({ source }) => {
      if (source === "remote") ann.type(0, "!");
    });
    ann.session.on("change", follow);
    story.server.insert(1, "x");
    story.server.insert(2, "y");
    await story.settle();
    expect(mirror.ops).toEqual(ann.session.content.ops);
    expect(story.text).toBe(ann.text());
  });

  it("names the author of a change, if there is one", async () => {
    const story = new Story("ab\n");
    const ann = await story.join();
    const changes: ChangeEvent[] = [];
    ann.session.on("change", (change) => changes.push(change));
    ann.session.edit(new Delta().insert("x"), "the page");
    story.server.insert(0, "y", "bob");
    await story.settle();
    expect(changes.map(({ source, origin, client, user }) => ({ source, origin, client, user }))).toEqual([
      { source: "local", origin: "the page", client: undefined, user: undefined },
      { source: "remote", origin: undefined, client: "bob", user: "guest:bob" },
    ]);
  });
});

describe("a refused edit", () => {
  async function withBuffer(): Promise<{ story: Story; ann: Actor }> {
    const story = new Story("one two\n");
    const ann = await story.join();
    story.server.autoCommit = false;
    return { story, ann };
  }

  it("is taken back, what was typed after it is kept, and the user is told", async () => {
    const { story, ann } = await withBuffer();
    const rollbacks: ChangeEvent[] = [];
    ann.session.on("change", (change) => change.source === "rollback" && rollbacks.push(change));
    story.server.refuse = ({ seq }) => (seq === 1 ? "bad_op" : undefined);
    story.server.autoCommit = true;
    ann.type(3, " lost");
    ann.type(0, "kept ");
    ann.erase(6 + 3 + 5 - 1, 4);
    await story.settle();
    expect(story.text).toBe("kept one\n");
    expect(ann.text()).toBe(story.text);
    expect(ann.lost.map(({ code, text }) => ({ code, text }))).toEqual([{ code: "bad_op", text: " lost" }]);
    expect(rollbacks).toHaveLength(1);
    expect(ann.session.saved).toBe(true);
  });

  it("does not put back what others deleted meanwhile", async () => {
    const { story, ann } = await withBuffer();
    story.server.refuse = ({ seq }) => (seq === 1 ? "too_large" : undefined);
    story.server.autoCommit = true;
    ann.session.edit([{ insert: "new " }, { delete: 4 }]);
    story.server.write([{ delete: 2 }]);
    await story.settle();
    expect(story.text).toBe("e two\n");
    expect(ann.text()).toBe("e two\n");
  });

  it("never gives its number to another edit", async () => {
    const { story, ann } = await withBuffer();
    story.server.refuse = ({ seq }) => (seq === 1 ? "forbidden" : undefined);
    story.server.autoCommit = true;
    ann.type(0, "x");
    await story.settle();
    ann.type(0, "y");
    await story.settle();
    expect(operations(story).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(story.text).toBe("yone two\n");
  });

  it("that is not known to be durable goes out again under its number, when the server says", async () => {
    const { story, ann } = await withBuffer();
    ann.type(0, "x");
    await story.settle();
    story.server.failCommit(700);
    story.server.insert(0, "bob ");
    await story.settle();
    story.server.autoCommit = true;
    await story.pass(699);
    expect(operations(story)).toHaveLength(1);
    await story.pass(1);
    expect(operations(story).map(({ seq, base }) => ({ seq, base }))).toEqual([
      { seq: 1, base: 1 },
      { seq: 1, base: 2 },
    ]);
    expect(story.text).toBe("bob xone two\n");
    expect(ann.text()).toBe(story.text);
  });

  it("that was reported as failed and was saved all the same is there once", async () => {
    const { story, ann } = await withBuffer();
    ann.type(0, "x");
    ann.type(1, "y");
    await story.settle();
    story.server.commitReportedAsFailed();
    story.server.autoCommit = true;
    await story.pass(5_000);
    expect(story.text).toBe("xyone two\n");
    expect(ann.session.saved).toBe(true);
    expect(story.server.occurrences(ann.session.client, 1)).toBe(1);
  });

  it("whose base is too old is rebased and goes out again", async () => {
    const { story, ann } = await withBuffer();
    let refusals = 0;
    story.server.refuse = ({ base }) => (base === 1 && (refusals += 1) > 0 ? "stale_base" : undefined);
    story.server.autoCommit = true;
    ann.type(0, "x");
    story.server.insert(3, "!");
    await story.settle();
    await story.pass(2_000);
    expect(refusals).toBe(1);
    expect(story.text).toBe("xone! two\n");
    expect(ann.text()).toBe(story.text);
    expect(ann.session.connection.state).toBe("connected");
  });

  it("whose base is too old although nothing newer is known is sent after a new welcome", async () => {
    const { story, ann } = await withBuffer();
    let refusals = 0;
    story.server.refuse = () => ((refusals += 1) === 1 ? "stale_base" : undefined);
    story.server.autoCommit = true;
    ann.type(0, "x");
    await story.settle();
    expect(ann.session.connection).toMatchObject({ state: "reconnecting", reason: "lagging" });
    await story.pass(1_000);
    expect(story.text).toBe("xone two\n");
    expect(ann.session.saved).toBe(true);
  });

  it("that is none, but a complaint of the server, is an error and changes nothing", async () => {
    const { story, ann } = await withBuffer();
    const errors: string[] = [];
    ann.session.on("error", ({ code }) => errors.push(code));
    story.server.tell({ type: "error", code: "bad_request", message: "what?", fatal: false });
    story.server.tell({ type: "error", code: "bad_op", message: "late", seq: 99, fatal: false });
    await story.settle();
    expect(errors).toEqual(["bad_request"]);
    expect(ann.lost).toEqual([]);
  });
});

describe("receipts", () => {
  it("tell that the operation has arrived, before it is saved", async () => {
    const story = new Story("ab\n");
    const ann = await story.join({ receipts: true });
    const received: number[] = [];
    ann.session.on("received", ({ seq }) => received.push(seq));
    story.server.autoCommit = false;
    ann.type(0, "x");
    await story.settle();
    expect(received).toEqual([1]);
    expect(ann.session.saved).toBe(false);
    story.server.commit();
    await story.settle();
    expect(ann.session.saved).toBe(true);
  });
});

describe("what is lost", () => {
  it("is named with its text, embeds as U+FFFC", async () => {
    const story = new Story("ab\n");
    const ann = await story.join();
    story.server.refuse = () => "read_only";
    ann.session.edit([{ retain: 1 }, { insert: "x" }, { insert: { image: "a.png" } }, { delete: 1 }]);
    await story.settle();
    const [event] = ann.lost as [LostEvent];
    expect(event).toMatchObject({ code: "read_only", message: "refused: read_only", text: "x\uFFFC" });
    expect(event.delta.ops).toHaveLength(4);
    expect(ann.text()).toBe("ab\n");
  });
});
