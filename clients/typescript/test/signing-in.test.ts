import { describe, expect, it } from "vitest";
import { QuireError } from "../src/errors.js";
import { offeredProtocols } from "../src/protocol.js";
import { Story } from "./support/story.js";

/** Who the page says is there; `null` throws as a page does whose user is signed out. */
function identity() {
  let token: string | undefined | null;
  return {
    becomes: (next: typeof token) => (token = next),
    token: () => {
      if (token === null) throw new QuireError("unauthorized", "nobody is signed in any more");
      return token;
    },
  };
}

describe("signing in", () => {
  it("offers the token of a share link beside that of the user", async () => {
    expect(offeredProtocols(undefined, "abc")).toEqual(["quire.v1", "link.abc"]);
    const story = new Story("one\n");
    await story.join({ token: () => "a.b.c", link: "abc" });
    expect(story.server.network.wire.protocols).toEqual(["quire.v1", "bearer.a.b.c", "link.abc"]);
  });

  it("turns a guest into a user without a new replica, and keeps what was typed meanwhile", async () => {
    const story = new Story("one\n");
    const who = identity();
    const ann = await story.join({ token: () => who.token() });
    expect(story.server.network.wire.protocols).toEqual(["quire.v1"]);
    const { client } = ann.session;
    ann.type(0, "typed ");
    who.becomes("a.b.c");
    ann.session.authenticate();
    await story.settle();
    expect(story.server.network.wire.protocols).toEqual(["quire.v1", "bearer.a.b.c"]);
    expect(ann.session.client).toBe(client);
    expect(story.text).toBe("typed one\n");
    expect(ann.lost).toEqual([]);
  });

  it("waits with what is pending for a user who was signed out elsewhere", async () => {
    const story = new Story("one\n");
    const who = identity();
    who.becomes("first");
    const ann = await story.join({ token: () => who.token() });
    story.server.network.wire.stall();
    ann.type(0, "kept ");
    who.becomes(null);
    story.server.closeAll(4401);
    await story.pass(60_000);
    expect(ann.session.connection).toEqual({ state: "closed", reason: "unauthorized" });
    expect(ann.session.canEdit).toBe(false);
    const attempts = story.server.network.wires.length;
    await story.pass(600_000);
    expect(story.server.network.wires.length).toBe(attempts);
    who.becomes("second");
    ann.session.authenticate();
    await story.settle();
    expect(ann.session.connection.state).toBe("connected");
    expect(story.text).toBe("kept one\n");
    expect(ann.lost).toEqual([]);
  });

  it("stops where no guests are let in and nobody is signed in", async () => {
    const story = new Story("one\n");
    story.server.status = 401;
    const ann = await story.join({ token: () => undefined });
    expect(ann.session.connection).toEqual({ state: "closed", reason: "unauthorized" });
  });
});
