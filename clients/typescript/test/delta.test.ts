import { readFileSync } from "node:fs";
import Delta from "quill-delta";
import { describe, expect, it } from "vitest";
import { checkForm, checkPlace } from "../src/delta/check.js";
import { Document } from "../src/delta/document.js";
import { inverse, invert } from "../src/delta/invert.js";
import { normalise } from "../src/delta/normal.js";
import { insidePair, insertedText } from "../src/delta/parts.js";
import { cursorBefore, moveCursor } from "../src/delta/positions.js";
import { replacement } from "../src/delta/replacement.js";
import { jsonBytes } from "../src/delta/size.js";
import { fits, pieceLimits, split } from "../src/delta/split.js";
import type { QuireError } from "../src/errors.js";
import type { DeltaOp } from "../src/protocol.gen.js";
import { Random } from "./support/random.js";

/** What the server has to answer; the same file is the server's own test. */
interface BadOp {
  id: string;
  level: "delta" | "message" | "frame";
  verdict: "refuse" | "accept" | "normalise";
  raw?: string;
  reason?: string;
  normalised?: DeltaOp[];
}

/** `JSON.parse` decides these before anything can be checked: it takes the last of two keys, and rounds. */
const BEYOND_JSON_PARSE = new Set(["duplicate_key", "bad_json", "bad_number"]);

const corpus = readFileSync(new URL("../../../tests/corpora/bad-ops.jsonl", import.meta.url), "utf8");
const cases = corpus
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as BadOp)
  .filter(({ level, raw, reason }) => level === "delta" && raw !== undefined && !BEYOND_JSON_PARSE.has(reason ?? ""));

const DOCUMENT = new Delta([{ insert: "Hello 😀 world" }, { insert: { image: "a.png" } }, { insert: "\n" }]);

/** What the session does with an edit before it is applied. */
function take(edit: unknown): Delta {
  const parts = typeof edit === "object" && edit !== null && "ops" in edit ? edit.ops : edit;
  checkForm(parts);
  const delta = normalise(parts);
  checkPlace(delta, Document.from(DOCUMENT));
  return delta;
}

function refusal(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as QuireError).code;
  }
}

describe("what the server would refuse", () => {
  it.each(cases.filter(({ verdict }) => verdict === "refuse").map(({ id, raw = "" }) => [id, raw]))(
    "%s is refused before it is applied: %s",
    (_id, raw) => {
      expect(refusal(() => take(JSON.parse(raw)))).toBe("bad_op");
    },
  );

  it.each(cases.filter(({ normalised }) => normalised).map(({ id, raw = "", normalised }) => [id, raw, normalised]))(
    "%s is taken in its normal form: %s",
    (_id, raw, normalised) => {
      expect(take(JSON.parse(raw)).ops).toEqual(normalised);
    },
  );

  it("refuses what JSON does not know", () => {
    expect(refusal(() => take([{ insert: "x", attributes: { size: NaN } }]))).toBe("bad_op");
    expect(refusal(() => take([{ insert: "x", attributes: { on: () => undefined } }]))).toBe("bad_op");
    expect(
      refusal(() => take([{ insert: { date: new Array(17).fill(0).reduce<unknown>((inner) => [inner], 0) } }])),
    ).toBe("bad_op");
  });
});

describe("the inverse", () => {
  it("is what quill-delta computes, whatever the operation", () => {
    const random = new Random(7);
    for (let round = 0; round < 500; round += 1) {
      const document = randomDocument(random);
      const operation = randomOperation(random, document);
      expect(invert(operation, document).ops).toEqual(operation.invert(document).ops);
      expect(document.compose(operation).compose(invert(operation, document)).ops).toEqual(document.ops);
    }
  });

  it("of formatting many runs takes one walk", () => {
    const runs = Array.from({ length: 20_000 }, (_, n) => ({ insert: "x", attributes: { size: n } }));
    const operation = new Delta(runs.map((_, n) => ({ retain: 1, attributes: { bold: n } })));
    expect(invert(operation, new Delta(runs)).ops).toHaveLength(1);
  });
});

describe("a document in chunks", () => {
  it("is what one delta would be, edit after edit, and so is the inverse", () => {
    const random = new Random(10);
    for (const begin of [longDocument(random), new Delta().insert("x😀".repeat(30_000)), new Delta()]) {
      let [document, whole] = [Document.from(begin), begin];
      for (let round = 0; round < 150; round += 1) {
        const operation = editSomewhere(random, whole);
        expect(inverse(operation, document).ops).toEqual(operation.invert(whole).ops);
        document = document.apply(operation);
        whole = whole.compose(operation);
        expect(document.length).toBe(whole.length());
        if (round % 10 === 0) expect(document.delta.ops).toEqual(whole.ops);
      }
      expect(document.delta.ops).toEqual(whole.ops);
      const erased = new Delta().delete(whole.length());
      expect(document.apply(erased).delta.ops).toEqual([]);
      expect(document.apply(erased).apply(erased.invert(whole)).delta.ops).toEqual(whole.ops);
    }
  });

  it("notices a cut pair wherever its chunks end", () => {
    const document = Document.from(new Delta().insert(`x${"😀".repeat(20_000)}`));
    for (const at of [2, 16_384, 16_386, 32_768, 40_000]) {
      expect(refusal(() => checkPlace(new Delta().retain(at).insert("y"), document))).toBe("bad_op");
      expect(refusal(() => checkPlace(new Delta().retain(at + 1).insert("y"), document))).toBeUndefined();
    }
  });
});

describe("a replacement", () => {
  it("turns any document into any other, and cuts no pair", () => {
    const random = new Random(8);
    for (let round = 0; round < 500; round += 1) {
      const [before, after] = [randomDocument(random), randomDocument(random)];
      const change = replacement(before, after);
      expect(before.compose(change).ops).toEqual(after.ops);
      expect(() => checkPlace(change, Document.from(before))).not.toThrow();
      expect(() => checkForm(change.ops)).not.toThrow();
    }
  });

  it("leaves what both have in common", () => {
    const change = replacement(new Delta().insert("one 😀 two"), new Delta().insert("one 😁 two"));
    expect(change.ops).toEqual([{ retain: 4 }, { insert: "😁" }, { delete: 2 }]);
    expect(replacement(DOCUMENT, DOCUMENT).ops).toEqual([]);
  });
});

describe("splitting", () => {
  const limits = { ops: 6, bytes: 120 };

  it("gives pieces that do the same one after the other, each within the limits", () => {
    const random = new Random(9);
    for (let round = 0; round < 300; round += 1) {
      const document = randomDocument(random);
      const operation = normalise(randomOperation(random, document).ops as DeltaOp[]);
      const pieces = split(operation, limits);
      const result = pieces.reduce((at, piece) => at.compose(piece), document);
      expect(result.ops).toEqual(document.compose(operation).ops);
      for (const piece of pieces) expect(fits(piece, limits)).toBe(true);
    }
  });

  it("cuts text between characters", () => {
    const text = `a${"😀".repeat(400)}\u0001"\\`;
    const pieces = split(new Delta().insert(text), { ops: 10, bytes: 101 });
    expect(pieces.length).toBeGreaterThan(10);
    expect(pieces.map((piece) => insertedText(piece.ops as DeltaOp[])).join("")).toBe(text);
    for (const piece of pieces) expect(() => checkForm(piece.ops)).not.toThrow();
  });

  it("refuses what cannot be cut", () => {
    const picture = new Delta().insert({ image: "x".repeat(200) });
    expect(refusal(() => split(picture, limits))).toBe("indivisible");
    const link = new Delta().retain(1, { link: "x".repeat(200) });
    expect(refusal(() => split(link, limits))).toBe("indivisible");
  });

  it("leaves half of each frame for what rebasing adds", () => {
    const { ops, bytes } = pieceLimits({ ops: 10_000, frame_bytes: 1024 * 1024 });
    expect(ops).toBeLessThan(5_000);
    expect(bytes).toBeLessThan(512 * 1024);
    const pieces = split(new Delta().insert("é".repeat(1_000_000)), { ops, bytes });
    expect(pieces).toHaveLength(4);
    for (const piece of pieces) expect(jsonBytes(piece.ops)).toBeLessThanOrEqual(bytes);
  });
});

describe("cursors", () => {
  it("stay before what others insert exactly there, and move with the own", () => {
    const insert = new Delta().retain(3).insert("ab");
    expect(moveCursor({ index: 3, length: 0 }, insert, false)).toEqual({ index: 3, length: 0 });
    expect(moveCursor({ index: 3, length: 0 }, insert, true)).toEqual({ index: 5, length: 0 });
    expect(moveCursor({ index: 1, length: 4 }, insert, false)).toEqual({ index: 1, length: 6 });
  });

  it("lead back to where they were before an operation", () => {
    const operation = new Delta().retain(2).insert("ab").delete(3).retain(2).insert("c");
    const places = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((index) => cursorBefore({ index, length: 0 }, operation).index);
    expect(places).toEqual([0, 1, 2, 2, 2, 6, 7, 7, 8]);
  });
});

function longDocument(random: Random): Delta {
  const document = new Delta();
  for (let run = 0; run < 1_000; run += 1)
    document.insert(random.pick(PIECES), random.chance(0.5) ? { size: run % 7 } : {});
  return document;
}

/** One to three edits in different places, each of which may merge runs. */
function editSomewhere(random: Random, document: Delta): Delta {
  const text = insertedText(document.ops as DeltaOp[]);
  const operation = new Delta();
  let at = 0;
  for (let edits = 1 + random.below(3); edits > 0; edits -= 1) {
    const to = whole(text, at + random.below(text.length - at + 1));
    const end = whole(text, Math.min(to + random.below(40), text.length));
    operation.retain(to - at);
    if (random.chance(0.5)) operation.insert(random.pick(PIECES), random.chance(0.5) ? { size: 1 } : {});
    if (random.chance(0.5)) operation.delete(end - to);
    else operation.retain(end - to, random.pick<Record<string, unknown>>([{ size: 1 }, { size: null }, {}]));
    at = end;
  }
  return operation.chop();
}

function whole(text: string, at: number): number {
  return insidePair(text, at) ? at + 1 : at;
}

const PIECES = ["a", "bc", "😀", "é", "\n", "x😁y", "zzzz"];

function randomDocument(random: Random): Delta {
  const document = new Delta();
  for (let run = random.below(12); run > 0; run -= 1) {
    if (random.chance(0.1)) document.insert({ image: random.pick(["a", "b"]) });
    else document.insert(random.pick(PIECES), random.chance(0.4) ? { bold: random.pick([true, "very"]) } : {});
  }
  return document;
}

/** Any operation whose boundaries are between characters. */
function randomOperation(random: Random, document: Delta): Delta {
  const operation = new Delta();
  const text = insertedText(document.ops as DeltaOp[]);
  for (let at = 0; at < text.length;) {
    if (random.chance(0.4)) operation.insert(random.pick(PIECES), random.chance(0.3) ? { link: "l" } : {});
    let length = 1 + random.below(4);
    if (insidePair(text, at + length)) length += 1;
    length = Math.min(length, text.length - at);
    if (random.chance(0.3)) operation.delete(length);
    else operation.retain(length, random.chance(0.4) ? { bold: random.pick<unknown>([true, null]), size: 1 } : {});
    at += length;
  }
  if (random.chance(0.3)) operation.insert("end");
  return operation.chop();
}
