import type Delta from "quill-delta";
import { OpIterator } from "quill-delta";
import { QuireError } from "../errors.js";
import type { DeltaOp } from "../protocol.gen.js";
import type { Document } from "./document.js";
import { baseLength, insidePair, skip } from "./parts.js";

/** Bounds of docs/protocol.md section 1; the server refuses what is beyond them as `bad_op`. */
export const ATTRIBUTES_PER_PART = 100;
const KEY_BYTES = 256;
const NESTING = 16;

/** The 12 own properties of `Object.prototype`: `attributes[key]` would find the inherited one (quill-delta). */
const FORBIDDEN_KEYS = new Set(Object.getOwnPropertyNames(Object.prototype));

/** A surrogate without its other half; with the flag `u` a whole pair does not match. */
const LONE_SURROGATE = /\p{Surrogate}/u;

const PART_FIELDS = new Set(["insert", "retain", "delete", "attributes"]);

const utf8 = new TextEncoder();

/**
 * Checks each part by itself: form, strings, keys, numbers, depth.
 * @throws {QuireError} `bad_op`, as the server would answer.
 */
export function checkForm(parts: unknown): asserts parts is DeltaOp[] {
  if (!Array.isArray(parts)) throw badOp("a delta is an array of parts");
  parts.forEach((part: unknown, index) => checkPart(part, `part ${index}`));
}

/**
 * Checks that an operation in normal form fits a document: nothing past its end, no surrogate pair cut.
 * @throws {QuireError} `bad_op`
 */
export function checkPlace(operation: Delta, document: Document): void {
  const reach = baseLength(operation.ops as DeltaOp[]);
  if (reach > document.length) throw badOp(`the edit reaches to ${reach}, the document is ${document.length} long`);
  const { content, operation: shifted } = document.region(operation);
  const runs = new OpIterator(content.ops);
  for (const part of shifted.ops as DeltaOp[]) {
    const length = part.retain ?? part.delete;
    if (length === undefined) continue;
    skip(runs, length);
    if (splitsPair(runs)) throw badOp("the edit cuts a surrogate pair in two");
  }
}

function splitsPair(runs: OpIterator): boolean {
  if (!runs.hasNext()) return false;
  const run = runs.peek();
  return typeof run.insert === "string" && insidePair(run.insert, run.insert.length - runs.peekLength());
}

function checkPart(part: unknown, where: string): void {
  if (!isObject(part)) throw badOp(`${where} is not an object`);
  const fields = Object.keys(part);
  const stray = fields.find((field) => !PART_FIELDS.has(field));
  if (stray !== undefined) throw badOp(`${where} has a field ${JSON.stringify(stray)}`);
  const kinds = fields.filter((field) => field !== "attributes");
  if (kinds.length !== 1) throw badOp(`${where} is not exactly one of insert, retain, delete`);
  if ("insert" in part) checkInsert(part.insert, where);
  else checkLength(part.retain ?? part.delete, where);
  checkAttributes(part.attributes, where);
}

function checkInsert(insert: unknown, where: string): void {
  if (typeof insert === "string") {
    checkText(insert, where);
    return;
  }
  if (!isObject(insert)) throw badOp(`${where} inserts neither text nor an embed`);
  if (Object.keys(insert).length !== 1) throw badOp(`${where} inserts an embed that has not exactly one key`);
  checkValue(insert, where, 1);
}

function checkLength(length: unknown, where: string): void {
  if (!Number.isSafeInteger(length) || (length as number) < 0) {
    throw badOp(`${where} has a length that is not a whole number`);
  }
}

function checkAttributes(attributes: unknown, where: string): void {
  if (attributes === undefined || attributes === null) return;
  if (!isObject(attributes)) throw badOp(`${where} has attributes that are not an object`);
  if (Object.keys(attributes).length > ATTRIBUTES_PER_PART) {
    throw badOp(`${where} has more than ${ATTRIBUTES_PER_PART} attributes`);
  }
  for (const [key, value] of Object.entries(attributes)) {
    checkKey(key, where);
    // An absent value is dropped with its key by the normal form.
    if (value !== undefined) checkValue(value, where, 2);
  }
}

/** `depth` counts the objects and arrays that are open around and with this value. */
function checkValue(value: unknown, where: string, depth: number): void {
  if (typeof value === "string") {
    checkText(value, where);
    return;
  }
  if (value === null || typeof value === "boolean" || Number.isFinite(value)) return;
  if (typeof value !== "object") throw badOp(`${where} has a value that JSON does not know`);
  if (depth > NESTING) throw badOp(`${where} is nested deeper than ${NESTING}`);
  if (!Array.isArray(value)) Object.keys(value).forEach((key) => checkKey(key, where));
  Object.values(value).forEach((inner) => checkValue(inner, where, depth + 1));
}

function checkKey(key: string, where: string): void {
  if (FORBIDDEN_KEYS.has(key)) throw badOp(`${where} uses the key ${key}`);
  if (utf8.encode(key).length > KEY_BYTES) throw badOp(`${where} has a key longer than ${KEY_BYTES} bytes`);
  checkText(key, where);
}

function checkText(text: string, where: string): void {
  if (text.includes("\0")) throw badOp(`${where} contains U+0000`);
  if (LONE_SURROGATE.test(text)) throw badOp(`${where} contains half of a surrogate pair`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function badOp(message: string): QuireError {
  return new QuireError("bad_op", message);
}
