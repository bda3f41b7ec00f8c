import { expect, it } from "vitest";
import { Story } from "./support/story.js";

it("gives a guest another name, and keeps what is on its way", async () => {
  const story = new Story("one\n");
  const ann = await story.join({ name: "Ann" });
  const ben = await story.join();
  ann.session.setPresence({ status: "active" });
  ann.type(3, "!");
  ann.session.rename("Anna");
  await story.pass(200);
  expect(ann.session.user?.name).toBe("Anna");
  expect(ann.session.connection.state).toBe("connected");
  expect(ben.session.peers).toHaveLength(1);
  expect(story.text).toBe("one!\n");
  expect(ann.session.saved).toBe(true);
});
