/** Embeds that this page does not know: shown as what they are called, and kept as they are. */
import { expect, test } from "./people";

const CONTENT = [
  { insert: "before " },
  { insert: { widget: { of: "another program", list: [1, 2] } } },
  { insert: " after\n" },
  { insert: { "a/b <c>": true } },
  { insert: "\n" },
];

test("an embed that the page does not know has a place, and is kept untouched", async ({ server, arrive }) => {
  const id = await server.create("Foreign", CONTENT);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.sees("before");
  const boxes = ana.sheet.locator(".unknown-embed");
  await expect(boxes).toHaveCount(2);
  await expect(boxes.first()).toHaveAttribute("title", /stays in the document as it is/);
  await ana.goToEnd();
  await ana.type("typed");
  await ana.hasSaved();
  expect(await server.content(id)).toEqual([...CONTENT.slice(0, -1), { insert: "typed\n" }]);
});

test("one that somebody else inserts while the page is open is shown, too", async ({ server, arrive }) => {
  const id = await server.create("Foreign, later", [{ insert: "text\n" }]);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await server.call("POST", `/v1/docs/${id}/ops`, { base: 1, delta: [{ retain: 4 }, { insert: { chart: 7 } }] });
  await expect(ana.sheet.locator(".unknown-embed")).toHaveText("chart");
  await ana.canWrite();
  await ana.goToStart();
  await ana.type("x");
  await ana.hasSaved();
  expect(await server.content(id)).toEqual([{ insert: "xtext" }, { insert: { chart: 7 } }, { insert: "\n" }]);
});
