import { describe, expect, it } from "vitest";
import type { Cursor, PresenceMessage } from "../src/protocol.gen.js";
import { type Actor, Story } from "./support/story.js";

function sent({ server }: Story): PresenceMessage[] {
  return server.received.filter((frame) => frame.type === "presence");
}

function cursors({ session }: Actor): (Cursor | undefined)[] {
  return session.peers.map(({ state }) => state?.cursor);
}

describe("presence", () => {
  it("shows others where somebody is, and moves with the text", async () => {
    const story = new Story("one two\n");
    const [ann, bob] = [await story.join(), await story.join()];
    ann.session.setPresence({ cursor: { index: 4, length: 3 }, status: "selecting" });
    await story.settle();
    expect(cursors(bob)).toEqual([{ index: 4, length: 3 }]);
    expect(ann.session.peers).toEqual([]);
    story.server.insert(0, "zero ");
    await story.settle();
    bob.type(0, "- ");
    expect(cursors(bob)).toEqual([{ index: 11, length: 3 }]);
    await story.settle();
    expect(cursors(bob)).toEqual([{ index: 11, length: 3 }]);
  });

  it("stays before what others insert at a caret, and goes along with its owner's own", async () => {
    const story = new Story("one two\n");
    const [ann, bob] = [await story.join(), await story.join()];
    ann.session.setPresence({ cursor: { index: 3, length: 0 } });
    await story.settle();
    bob.type(3, "BOB");
    await story.settle();
    expect(cursors(bob)).toEqual([{ index: 3, length: 0 }]);
    ann.type(3, "ANN");
    await story.settle();
    expect(cursors(bob)).toEqual([{ index: 6, length: 0 }]);
    // Both knew where it goes, so no frame had to say so.
    expect(sent(story)).toHaveLength(1);
  });

  it("is sent in the coordinates of the version, pending edits undone", async () => {
    const story = new Story("one two\n");
    const [ann, bob] = [await story.join(), await story.join()];
    story.server.autoCommit = false;
    ann.type(0, "pending ");
    ann.session.setPresence({ cursor: { index: 11, length: 0 } });
    await story.settle();
    expect(sent(story)).toEqual([{ type: "presence", state: { cursor: { index: 3, length: 0 } }, base: 1 }]);
    expect(cursors(bob)).toEqual([{ index: 3, length: 0 }]);
    story.server.commit();
    await story.settle();
    expect(cursors(bob)).toEqual([{ index: 11, length: 0 }]);
  });

  it("is coalesced to ten frames a second, and the last one wins", async () => {
    const story = new Story("0123456789\n");
    const ann = await story.join();
    for (let index = 0; index <= 10; index += 1) ann.session.setPresence({ cursor: { index, length: 0 } });
    await story.settle();
    expect(sent(story)).toHaveLength(1);
    await story.pass(100);
    expect(sent(story).map(({ state }) => state?.cursor?.index)).toEqual([0, 10]);
    for (let n = 0; n < 100; n += 1) {
      ann.session.setPresence({ cursor: { index: n % 10, length: 0 } });
      await story.pass(10);
    }
    expect(sent(story).length).toBeLessThanOrEqual(12);
  });

  it("is sent again after each welcome", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    ann.session.setPresence({ cursor: { index: 1, length: 0 }, status: "active" });
    await story.settle();
    story.server.network.wire.cut();
    await story.settle();
    await story.pass(1_000);
    expect(sent(story)).toHaveLength(2);
    expect(sent(story)[1]).toEqual(sent(story)[0]);
  });

  it("is taken back with null, and gone with its session", async () => {
    const story = new Story("one\n");
    const [ann, bob] = [await story.join(), await story.join()];
    ann.session.setPresence({ status: "active" });
    await story.settle();
    expect(bob.session.peers).toHaveLength(1);
    ann.session.setPresence(null);
    await story.pass(100);
    expect(bob.session.peers).toHaveLength(0);
    ann.session.setPresence({ status: "idle" });
    await story.pass(100);
    expect(bob.session.peers).toHaveLength(1);
    ann.session.close();
    await story.settle();
    expect(bob.session.peers).toHaveLength(0);
  });

  it("waits for a cursor whose version has not arrived, and moves one that is older", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    const peer = { session: "s", client: "bob", user: { id: "u", name: "Bob", color: "#000000" } };
    story.server.insert(0, "ab");
    await story.settle();
    story.server.tell({ type: "presence", peers: [{ ...peer, state: { cursor: { index: 1, length: 0 } }, base: 1 }] });
    await story.settle();
    expect(cursors(ann)).toEqual([{ index: 3, length: 0 }]);
    story.server.tell({ type: "presence", peers: [{ ...peer, state: { cursor: { index: 5, length: 0 } }, base: 3 }] });
    await story.settle();
    story.server.insert(0, "c");
    await story.settle();
    expect(cursors(ann)).toEqual([{ index: 5, length: 0 }]);
    story.server.insert(0, "d");
    await story.settle();
    expect(cursors(ann)).toEqual([{ index: 6, length: 0 }]);
  });

  it("leaves out a cursor that cannot be brought up to date", async () => {
    const story = new Story("one\n");
    story.server.insert(0, "x");
    const ann = await story.join();
    const peer = { session: "s", client: "bob", user: { id: "u", name: "Bob", color: "#000000" } };
    const state = { cursor: { index: 1, length: 0 }, status: "active" as const };
    story.server.tell({ type: "presence", peers: [{ ...peer, state, base: 1 }] });
    await story.settle();
    expect(ann.session.peers.map((known) => known.state)).toEqual([{ status: "active" }]);
  });

  it("is refused above 4 KiB", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    const tooLarge = { note: "x".repeat(4_096) };
    expect(() => ann.session.setPresence(tooLarge)).toThrow(expect.objectContaining({ code: "too_large" }));
  });
});
