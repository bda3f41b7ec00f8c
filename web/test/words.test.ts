import Delta from "quill-delta";
import { expect, it } from "vitest";
import { inserted } from "../src/editor/merged";
import { complaintText, reasonOf, refusedText } from "../src/editor/reasons";
import { typingText } from "../src/editor/typing";
import { countWords } from "../src/editor/words";
import { documentIdOf, editorPath, titleOf } from "../src/documents/entry";
import { COLORS, initials, numberOf } from "../src/people";
import { ago } from "../src/time";

it("counts words across formats and embeds", () => {
  expect(countWords(new Delta())).toBe(0);
  expect(countWords(new Delta().insert("\n"))).toBe(0);
  expect(countWords(new Delta().insert("wo").insert("rd", { bold: true }).insert(" two\nthree"))).toBe(3);
  expect(countWords(new Delta().insert("one").insert({ image: "a.png" }).insert("two"))).toBe(2);
});

it("names those who type", () => {
  expect(typingText([])).toBe("");
  expect(typingText(["Ana"])).toBe("Ana is typing…");
  expect(typingText(["Ana", "Ben"])).toBe("Ana and Ben are typing…");
  expect(typingText(["Ana", "Ben", "Chidi"])).toBe("3 people are typing…");
});

it("finds where a change inserts, in the document after it", () => {
  const delta = new Delta().retain(3).insert("ab").delete(4).retain(2).insert({ image: "x" });
  expect(inserted(delta)).toEqual([
    { index: 3, length: 2 },
    { index: 7, length: 1 },
  ]);
});

it("explains what was not kept", () => {
  expect(reasonOf({ code: "too_large", message: "" })).toContain("too large");
  // The session goes on under another id, so nothing is closed to the person.
  expect(reasonOf({ code: "forbidden", message: "" })).toContain("go on writing");
  expect(reasonOf({ code: "bad_op", message: "position 9 is past the end" })).toContain("position 9 is past the end");
});

it("passes on what the server complains about, unless it passes by itself", () => {
  expect(complaintText({ code: "bad_request", message: "a frame is no JSON" })).toContain("a frame is no JSON");
  expect(complaintText({ code: "rate_limited", message: "" })).toBeUndefined();
});

it("tells a document that is full from an image that is too large", () => {
  expect(refusedText({ code: "too_large", message: "" })).toContain("10 MB");
  expect(refusedText({ code: "indivisible", message: "" })).not.toContain("10 MB");
});

it("finds the document in an address and back", () => {
  expect(documentIdOf("/")).toBeUndefined();
  expect(documentIdOf("/d/")).toBeUndefined();
  expect(documentIdOf("/d/a.b~c")).toBe("a.b~c");
  expect(documentIdOf("/d/%E0%A4%A")).toBeUndefined();
  expect(documentIdOf(editorPath("a.b~c"))).toBe("a.b~c");
  expect(titleOf({ title: "  " })).toBe("Untitled");
});

it("shows the colour that the server has given, and one of the twelve for any other", () => {
  const known = ["#111111", "#222222"];
  expect(numberOf({ id: "x", name: "", color: "#222222" }, known)).toBe(1);
  expect(numberOf({ id: "x", name: "", color: "#22222A".toUpperCase() }, ["#22222a"])).toBe(0);
  const other = numberOf({ id: "x", name: "", color: "#abcdef" }, known);
  expect(other).toBeLessThan(COLORS);
  expect(numberOf({ id: "y", name: "", color: "#abcdef" }, known)).toBe(other);
});

it("takes initials from names as people write them", () => {
  expect(initials("Ana Maria Silva")).toBe("AS");
  expect(initials("ben")).toBe("B");
  expect(initials("👩‍🌾 Rosa")).toBe("👩‍🌾R");
  expect(initials("")).toBe("?");
});

it("says how long ago something was", () => {
  const now = new Date(2026, 5, 15, 12, 0, 0).getTime();
  expect(ago(now - 20_000, now)).toBe("just now");
  expect(ago(now - 120_000, now)).toBe("2 min ago");
  expect(ago(now - 3 * 3_600_000, now)).toBe("3 h ago");
  expect(ago(now - 13 * 3_600_000, now)).toBe("yesterday");
  expect(ago(now - 3 * 86_400_000, now)).toBe("3 days ago");
  expect(ago(new Date(2024, 0, 2).getTime(), now)).toContain("2024");
});
