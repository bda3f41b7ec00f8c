// @vitest-environment happy-dom
import Quill from "quill";
import type { BlockEmbed } from "quill/blots/block.js";
import type EmbedBlot from "quill/blots/embed.js";
import { beforeEach, describe, expect, it } from "vitest";
import type { QuireError } from "../src/errors.js";
import type { OpMessage, PresenceMessage } from "../src/protocol.gen.js";
import { bindQuill, type BindOptions } from "../src/quill.js";
import { LIMITS } from "./support/server.js";
import { type Actor, Story } from "./support/story.js";

const Embed = Quill.import("blots/embed") as typeof EmbedBlot;
const Block = Quill.import("blots/block/embed") as typeof BlockEmbed;

class Broken extends Embed {
  static override blotName = "broken";
  static override create(): HTMLElement {
    throw new Error("this embed cannot be shown");
  }
}

class Ruler extends Block {
  static override blotName = "ruler";
  static override tagName = "hr";
}

Quill.register(Broken);
Quill.register(Ruler);

interface Page extends Actor {
  quill: Quill;
  unbind: () => void;
  refused: QuireError[];
}

async function page(story: Story, options: BindOptions = {}): Promise<Page> {
  const actor = await story.join();
  const quill = new Quill(document.body.appendChild(document.createElement("div")));
  const refused: QuireError[] = [];
  const onRefused = (error: QuireError): void => void refused.push(error);
  const unbind = bindQuill(quill, actor.session, { clock: story.clock, onRefused, ...options });
  return { ...actor, quill, unbind, refused };
}

function operations({ server }: Story): OpMessage[] {
  return server.received.filter((frame) => frame.type === "op");
}

function presence({ server }: Story): PresenceMessage["state"][] {
  return server.received.filter((frame) => frame.type === "presence").map(({ state }) => state);
}

function press(quill: Quill, key: string, more: KeyboardEventInit = {}): void {
  quill.root.dispatchEvent(
    new KeyboardEvent("keydown", { key, ctrlKey: true, bubbles: true, cancelable: true, ...more }),
  );
}

beforeEach(() => {
  document.body.replaceChildren();
});

describe("the binding to Quill", () => {
  it("shows the document and what others do, and sends what the user does", async () => {
    const story = new Story("hello\n");
    const [ann, bob] = [await page(story), await page(story)];
    ann.quill.insertText(5, "!", "user");
    ann.quill.formatText(0, 5, "bold", true, "user");
    await story.settle();
    expect(bob.quill.getContents().ops).toEqual([{ insert: "hello", attributes: { bold: true } }, { insert: "!\n" }]);
    bob.quill.deleteText(0, 1, "user");
    await story.settle();
    expect(ann.quill.getText()).toBe("ello!\n");
    expect(story.text).toBe("ello!\n");
  });

  it("shows a document that arrives later, and cannot be edited before", async () => {
    const story = new Story("hello\n");
    const ann = story.open();
    const quill = new Quill(document.body.appendChild(document.createElement("div")));
    bindQuill(quill, ann.session);
    expect(quill.isEnabled()).toBe(false);
    await story.settle();
    expect(quill.getText()).toBe("hello\n");
    expect(quill.isEnabled()).toBe(true);
  });

  it("sends nothing that the user did not do", async () => {
    const story = new Story();
    const odd = [
      { insert: "text in no format of Quill", attributes: { blink: true, header: 2 } },
      { insert: "\n\n", attributes: { bold: true } },
      { insert: { image: "javascript:alert(1)" } },
      { insert: { hologram: { of: "a cat" } } },
      { insert: "a\r\nb\rc" },
    ];
    story.server.write(odd);
    const ann = await page(story);
    ann.quill.update();
    ann.quill.setSelection(2, 3);
    await story.pass(5_000);
    expect(operations(story)).toEqual([]);
    expect(ann.quill.getLength()).toBe(story.server.content.length() + 1);
    // What is typed after all of that lands where it belongs.
    ann.quill.insertText(ann.quill.getLength() - 1, "!", "user");
    await story.settle();
    expect(story.text.endsWith("a\r\nb\rc!\n")).toBe(true);
  });

  it("puts back what the page changes by itself", async () => {
    const story = new Story("hello\n");
    const ann = await page(story);
    ann.quill.setText("something else", "api");
    expect(ann.quill.getText()).toBe("hello\n");
    await story.settle();
    expect(operations(story)).toEqual([]);
  });

  it("stops where it was bound, and both go their ways", async () => {
    const story = new Story("hello\n");
    const ann = await page(story);
    ann.unbind();
    ann.quill.insertText(0, "x", "user");
    story.server.insert(0, "y");
    await story.settle();
    expect(ann.quill.getText()).toBe("xhello\n");
    expect(ann.text()).toBe("yhello\n");
  });
});

describe("the line break at the end", () => {
  it("is shown where it is missing, and sent only together with an edit", async () => {
    const story = new Story("no break");
    const ann = await page(story);
    expect(ann.quill.getText()).toBe("no break\n");
    await story.pass(5_000);
    expect(story.server.version).toBe(1);
    ann.quill.insertText(0, "still ", "user");
    await story.settle();
    expect(story.text).toBe("still no break\n");
    expect(operations(story)).toHaveLength(1);
    expect(ann.quill.getText()).toBe("still no break\n");
  });

  it("may be formatted, as a list, although it was not there", async () => {
    const story = new Story("milk");
    const ann = await page(story);
    ann.quill.formatLine(0, 1, "list", "bullet", "user");
    await story.settle();
    expect(story.server.content.ops).toEqual([{ insert: "milk" }, { insert: "\n", attributes: { list: "bullet" } }]);
  });

  it("comes and goes with what others write", async () => {
    const story = new Story();
    const ann = await page(story);
    expect(ann.quill.getText()).toBe("\n");
    for (const [delta, shown] of [
      [[{ insert: "ab" }], "ab\n"],
      [[{ retain: 2 }, { insert: "\n" }], "ab\n"],
      [[{ retain: 3 }, { insert: "c" }], "ab\nc\n"],
      [[{ retain: 4 }, { insert: "\n", attributes: { header: 1 } }], "ab\nc\n"],
      [[{ retain: 1 }, { delete: 4 }], "a\n"],
      [[{ delete: 1 }], "\n"],
    ] as const) {
      story.server.write([...delta]);
      await story.settle();
      expect(ann.quill.getText()).toBe(shown);
    }
    expect(operations(story)).toEqual([]);
  });
});

describe("undo in the editor", () => {
  it("undoes the own edits only, by the keys and by Quill's own call", async () => {
    const story = new Story("\n");
    const ann = await page(story);
    ann.quill.insertText(0, "ann", "user");
    await story.settle();
    story.server.insert(3, " bob");
    await story.settle();
    ann.quill.setSelection(3, 0);
    press(ann.quill, "z");
    expect(ann.quill.getText()).toBe(" bob\n");
    press(ann.quill, "z", { shiftKey: true });
    expect(ann.quill.getText()).toBe("ann bob\n");
    ann.quill.history.undo();
    await story.settle();
    expect(story.text).toBe(" bob\n");
  });

  it("is Quill's own again after unbinding", async () => {
    const story = new Story("\n");
    const ann = await page(story);
    ann.unbind();
    ann.quill.insertText(0, "x", "user");
    ann.quill.setSelection(1, 0);
    press(ann.quill, "z");
    expect(ann.quill.getText()).toBe("\n");
  });
});

describe("the caret", () => {
  it("stays when others insert there, and moves when they insert before it", async () => {
    const story = new Story("hello\n");
    const ann = await page(story);
    ann.quill.setSelection(2, 0, "user");
    story.server.insert(2, "XX");
    await story.settle();
    expect(ann.quill.getSelection()).toMatchObject({ index: 2, length: 0 });
    story.server.insert(0, "oh ");
    await story.settle();
    expect(ann.quill.getSelection()).toMatchObject({ index: 5, length: 0 });
  });

  it("does not take the focus from a button when others write, and is in its place when it is back", async () => {
    const story = new Story("hello\n");
    const ann = await page(story);
    const button = document.body.appendChild(document.createElement("button"));
    ann.quill.setSelection(3, 1, "user");
    await story.pass(100);
    button.focus();
    for (const text of ["oh ", "oh "]) {
      story.server.insert(0, text);
      await story.settle();
      expect(document.activeElement).toBe(button);
    }
    await story.pass(100);
    expect(presence(story).at(-1)).toMatchObject({ cursor: { index: 3, length: 1 } });
    ann.quill.focus();
    expect(ann.quill.getSelection()).toMatchObject({ index: 9, length: 1 });
  });

  it("is shown to others, with what the user is doing", async () => {
    const story = new Story("hello\n");
    const ann = await page(story, { presenceFields: () => ({ theme: "dark" }) });
    ann.quill.setSelection(1, 3, "user");
    await story.settle();
    expect(presence(story).at(-1)).toEqual({ cursor: { index: 1, length: 3 }, status: "selecting", theme: "dark" });
    ann.quill.setSelection(2, 0, "user");
    await story.pass(100);
    expect(presence(story).at(-1)).toMatchObject({ cursor: { index: 2, length: 0 }, status: "active" });
    ann.quill.insertText(2, "x", "user");
    ann.quill.setSelection(3, 0, "silent");
    await story.pass(100);
    expect(presence(story).at(-1)).toMatchObject({ status: "typing" });
    await story.pass(2_000);
    expect(presence(story).at(-1)).toMatchObject({ status: "active" });
    await story.pass(60_000);
    expect(presence(story).at(-1)).toMatchObject({ status: "idle" });
    ann.unbind();
    await story.pass(100);
    expect(presence(story).at(-1)).toBeNull();
  });

  it("within the page's own line break is shown at the end of the document", async () => {
    const story = new Story("hello");
    const ann = await page(story);
    ann.quill.setSelection(5, 1, "user");
    await story.settle();
    expect(presence(story).at(-1)).toMatchObject({ cursor: { index: 5, length: 0 } });
  });
});

describe("an input method", () => {
  it("is not disturbed: what others do waits until the composition is over", async () => {
    const story = new Story("hello\n");
    const ann = await page(story);
    ann.quill.root.firstChild?.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
    story.server.insert(0, "bob ");
    await story.settle();
    expect(ann.quill.getText()).toBe("hello\n");
    ann.quill.root.firstChild?.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true }));
    await story.settle();
    expect(ann.quill.getText()).toBe("bob hello\n");
    expect(ann.session.version).toBe(2);
  });

  it("has what it composes counted as not saved, and taken after a pause", async () => {
    const story = new Story("hello\n");
    const ann = await page(story);
    const line = ann.quill.root.firstChild;
    const say = (type: string, data = ""): void =>
      void line?.dispatchEvent(new CompositionEvent(type, { data, bubbles: true }));
    /** The browser writes what is composed into the page. */
    const write = async (text: string): Promise<void> => {
      say("compositionupdate", text);
      const node = line?.firstChild;
      if (node) node.textContent = `${text}hello`;
      await story.settle();
    };
    say("compositionstart");
    expect(ann.session.saved).toBe(true);
    await write("ka");
    expect(ann.session.saved).toBe(false);
    expect(ann.text()).toBe("hello\n");
    story.server.insert(5, "!");
    await story.pass(900);
    await write("kan");
    await story.pass(900);
    // It is at work.
    expect(story.text).toBe("hello!\n");
    expect(ann.text()).toBe("hello\n");
    await story.pass(100);
    expect(ann.text()).toBe("kanhello!\n");
    expect(story.text).toBe("kanhello!\n");
    expect(ann.session.saved).toBe(true);
  });

  it("loses nothing when the page is put away", async () => {
    const story = new Story("hello\n");
    const ann = await page(story);
    const line = ann.quill.root.firstChild;
    line?.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
    line?.dispatchEvent(new CompositionEvent("compositionupdate", { data: "ka", bubbles: true }));
    if (line?.firstChild) line.firstChild.textContent = "kahello";
    await story.settle();
    expect(ann.text()).toBe("hello\n");
    window.dispatchEvent(new Event("pagehide"));
    expect(ann.text()).toBe("kahello\n");
    await story.settle();
    expect(story.text).toBe("kahello\n");
  });
});

describe("what goes wrong", () => {
  it("takes an edit back that is refused before it is applied", async () => {
    const story = new Story("hello\n");
    story.server.limits = { ...LIMITS, document_bytes: 100_000 };
    const ann = await page(story);
    ann.quill.insertText(2, "x".repeat(100_000), "user");
    expect(ann.quill.getText()).toBe("hello\n");
    expect(ann.refused.map(({ code }) => code)).toEqual(["too_large"]);
    ann.quill.insertText(5, "!", "user");
    await story.settle();
    expect(story.text).toBe("hello!\n");
  });

  it("takes an edit back that the server refuses, and keeps what was typed after it", async () => {
    const story = new Story("hello\n");
    const ann = await page(story);
    story.server.refuse = ({ seq }) => (seq === 1 ? "bad_op" : undefined);
    ann.quill.insertText(5, " lost", "user");
    ann.quill.insertText(0, "kept ", "user");
    await story.settle();
    expect(ann.quill.getText()).toBe("kept hello\n");
    expect(story.text).toBe("kept hello\n");
  });

  it("shows a document that was replaced", async () => {
    const story = new Story("hello\n");
    const ann = await page(story);
    story.server.restore([{ insert: "restored", attributes: { bold: true } }, { insert: "\n" }]);
    await story.pass(1_000);
    expect(ann.quill.getContents().ops).toEqual(story.server.content.ops);
  });

  it("does not let viewers type", async () => {
    const story = new Story("hello\n");
    const ann = await page(story);
    expect(ann.quill.isEnabled()).toBe(true);
    story.server.tell({ type: "role", role: "viewer" });
    await story.settle();
    expect(ann.quill.isEnabled()).toBe(false);
    story.server.tell({ type: "role", role: "editor" });
    await story.settle();
    expect(ann.quill.isEnabled()).toBe(true);
  });

  it("keeps its place beside a ruler in the middle of a line, where Quill would add a line break", async () => {
    const story = new Story();
    story.server.write([{ insert: "\n" }, { insert: { ruler: true } }, { insert: "after\n" }]);
    const ann = await page(story);
    expect(ann.quill.getContents().ops).toEqual(story.server.content.ops);
    story.server.write([{ insert: "before " }, { delete: 1 }]);
    await story.settle();
    expect(ann.quill.getText()).toBe("before \uFFFCafter\n");
    ann.quill.insertText(8, "right ", "user");
    await story.settle();
    expect(story.text).toBe("before \uFFFCright after\n");
  });

  it("does not edit a document that it cannot show in place", async () => {
    const story = new Story("hello\n");
    let unsupported = 0;
    const ann = await page(story, { onUnsupported: () => (unsupported += 1) });
    story.server.write([{ retain: 2 }, { insert: { broken: true } }]);
    await story.settle();
    expect(unsupported).toBe(1);
    expect(ann.quill.isEnabled()).toBe(false);
    ann.quill.insertText(0, "x", "user");
    await story.settle();
    expect(operations(story)).toEqual([]);
  });
});
