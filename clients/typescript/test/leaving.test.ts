import { describe, expect, it } from "vitest";
import { askBeforeLeaving } from "../src/leaving.js";
import { Story } from "./support/story.js";

function asks(page: EventTarget): boolean {
  const event = new Event("beforeunload", { cancelable: true });
  page.dispatchEvent(event);
  return event.defaultPrevented;
}

describe("leaving the page", () => {
  it("asks while edits are not saved, and only then", async () => {
    const story = new Story("one\n");
    const ann = await story.join();
    const page = new EventTarget();
    const stop = askBeforeLeaving(ann.session, page);
    expect(asks(page)).toBe(false);
    ann.type(0, "x");
    expect(asks(page)).toBe(true);
    await story.settle();
    expect(asks(page)).toBe(false);
    ann.type(0, "y");
    stop();
    expect(asks(page)).toBe(false);
  });
});
