import { describe, expect, it } from "vitest";
import { type Actor, Story } from "./support/story.js";

async function begin(text: string): Promise<{ story: Story; ann: Actor }> {
  const story = new Story(text);
  return { story, ann: await story.join() };
}

describe("undo", () => {
  it("takes back the own edits step by step, and puts them back", async () => {
    const { story, ann } = await begin("one\n");
    ann.type(3, " two");
    await story.pass(1_000);
    ann.erase(0, 3);
    await story.settle();
    expect(ann.session.undo()).toBe(true);
    expect(ann.text()).toBe("one two\n");
    expect(ann.session.undo()).toBe(true);
    expect(ann.text()).toBe("one\n");
    expect(ann.session.undo()).toBe(false);
    expect(ann.session.redo()).toBe(true);
    expect(ann.session.redo()).toBe(true);
    expect(ann.session.redo()).toBe(false);
    await story.settle();
    expect(story.text).toBe(" two\n");
  });

  it("merges what is typed within a second, unless a boundary is set", async () => {
    const { story, ann } = await begin("\n");
    ann.type(0, "a");
    await story.pass(300);
    ann.type(1, "b");
    await story.pass(300);
    ann.session.breakUndo();
    ann.type(2, "c");
    await story.pass(1_000);
    ann.type(3, "d");
    const texts = [ann.text()];
    while (ann.session.undo()) texts.push(ann.text());
    expect(texts).toEqual(["abcd\n", "abc\n", "ab\n", "\n"]);
  });

  it("leaves what others did, before, after and inside of the own text", async () => {
    const { story, ann } = await begin("one\n");
    ann.type(3, " ann");
    await story.settle();
    story.server.insert(0, "bob ");
    story.server.insert(9, "-BOB-");
    story.server.write([{ retain: 4 }, { delete: 1 }]);
    await story.settle();
    expect(ann.text()).toBe("bob ne a-BOB-nn\n");
    ann.session.undo();
    expect(ann.text()).toBe("bob ne-BOB-\n");
    ann.session.redo();
    await story.settle();
    expect(story.text).toBe(ann.text());
    expect(story.text).toContain("-BOB-");
  });

  it("does not undo what others formatted since", async () => {
    const { story, ann } = await begin("one\n");
    ann.format(0, 3, { bold: true, italic: true });
    await story.settle();
    story.server.write([{ retain: 3, attributes: { bold: "very" } }]);
    await story.settle();
    ann.session.undo();
    expect(ann.session.content.ops[0]).toEqual({ insert: "one", attributes: { bold: "very" } });
  });

  it("has nothing left to do when others have deleted what was typed", async () => {
    const { story, ann } = await begin("one\n");
    ann.type(3, "!");
    await story.settle();
    story.server.write([{ retain: 3 }, { delete: 1 }]);
    await story.settle();
    expect(ann.session.canUndo).toBe(false);
    expect(ann.session.undo()).toBe(false);
  });

  it("brings back a deleted emoji whole, beside what others typed there", async () => {
    const { story, ann } = await begin("a😀b\n");
    ann.erase(1, 2);
    await story.settle();
    story.server.insert(1, "😁");
    await story.settle();
    ann.session.undo();
    await story.settle();
    expect(["a😀😁b\n", "a😁😀b\n"]).toContain(story.text);
    expect(ann.text()).toBe(story.text);
  });

  it("forgets what can be redone when something new is typed, but not when others type", async () => {
    const { story, ann } = await begin("\n");
    ann.type(0, "a");
    ann.session.undo();
    story.server.insert(0, "bob ");
    await story.settle();
    expect(ann.session.canRedo).toBe(true);
    ann.type(0, "b");
    expect(ann.session.canRedo).toBe(false);
  });

  it("forgets an edit that was refused, and only that", async () => {
    const { story, ann } = await begin("one\n");
    ann.type(0, "kept ");
    await story.pass(1_000);
    story.server.refuse = () => "bad_op";
    ann.erase(5, 3);
    await story.settle();
    expect(ann.text()).toBe("kept one\n");
    ann.session.undo();
    expect(ann.text()).toBe("one\n");
    expect(ann.session.canUndo).toBe(false);
  });

  it("works while the edit is on its way, and while there is no connection", async () => {
    const { story, ann } = await begin("one\n");
    story.server.network.wire.cut();
    await story.settle();
    ann.type(3, "!");
    ann.session.breakUndo();
    ann.type(4, "?");
    ann.session.undo();
    story.server.insert(0, "bob ");
    await story.pass(1_000);
    expect(story.text).toBe("bob one!\n");
    expect(ann.text()).toBe(story.text);
  });

  it("tells when it becomes possible and when not any more", async () => {
    const { ann } = await begin("one\n");
    const told: unknown[] = [];
    ann.session.on("undo", (state) => told.push(state));
    ann.type(0, "x");
    ann.type(1, "y");
    ann.session.undo();
    expect(told).toEqual([
      { canUndo: true, canRedo: false },
      { canUndo: false, canRedo: true },
    ]);
  });
});
