import { describe, expect, it } from "vitest";
import { Story } from "./support/story.js";

describe("holding what others do", () => {
  it("lets it wait, and the version with it, until it is let in", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    const release = ann.session.holdRemote();
    story.server.insert(0, "bob ");
    await story.settle();
    expect(ann.text()).toBe("one\n");
    expect(ann.session.version).toBe(1);
    ann.type(3, "!");
    release();
    expect(ann.text()).toBe("bob one!\n");
    await story.settle();
    expect(story.text).toBe("bob one!\n");
  });

  it("nests, and letting go twice counts once", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    const [first, second] = [ann.session.holdRemote(), ann.session.holdRemote()];
    story.server.insert(0, "bob ");
    await story.settle();
    first();
    first();
    expect(ann.text()).toBe("one\n");
    second();
    expect(ann.text()).toBe("bob one\n");
  });

  it("keeps the order: a refusal waits behind the operations before it", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    const release = ann.session.holdRemote();
    story.server.insert(0, "bob ");
    story.server.refuse = () => "bad_op";
    ann.type(3, "!");
    await story.settle();
    expect(ann.text()).toBe("one!\n");
    release();
    expect(ann.text()).toBe("bob one\n");
    expect(ann.lost).toHaveLength(1);
  });

  it("outlasts a reconnect", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    const release = ann.session.holdRemote();
    story.server.insert(0, "a");
    await story.settle();
    story.server.network.wire.cut();
    await story.settle();
    story.server.insert(0, "b");
    await story.pass(1_000);
    expect(ann.session.version).toBe(1);
    ann.type(3, "!");
    release();
    await story.settle();
    expect(ann.text()).toBe("baone!\n");
    expect(story.text).toBe("baone!\n");
    expect(ann.session.connection.state).toBe("connected");
  });

  it("is bounded: what is too much is dropped, and fetched when it is let go", async () => {
    const story = new Story("\n");
    const ann = await story.join();
    const release = ann.session.holdRemote();
    for (let n = 0; n < 1_100; n += 1) story.server.insert(n, "x");
    await story.settle();
    expect(ann.session.version).toBe(1);
    release();
    expect(ann.session.connection.state).toBe("reconnecting");
    await story.pass(1_000);
    expect(ann.text()).toBe(`${"x".repeat(1_100)}\n`);
    expect(ann.session.connection.state).toBe("connected");
  });
});
