/** The pages come quickly also over a thin line: a first load has a limit. */
import { expect, test } from "./people";
import { FIRST_LOAD, PAGES, weigh } from "./weight";

test("the first load of each page is small", async ({ server, arrive }) => {
  // With text that needs each face of the book font.
  const id = await server.create("Weighed", [
    { insert: "upright, " },
    { insert: "slanted", attributes: { italic: true } },
    { insert: "\n" },
  ]);
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  const list = await weigh(ana.page, PAGES);
  await ana.openList(server.url);
  await expect(ana.page.getByRole("listitem").first()).toBeVisible();
  const editor = await weigh(ben.page, PAGES);
  await ben.open(server.url, id);
  await ben.page.evaluate(() => document.fonts.ready);
  // Less than this would mean that nothing was counted.
  expect(list()).toBeGreaterThan(10_000);
  expect(list()).toBeLessThanOrEqual(FIRST_LOAD);
  expect(editor()).toBeGreaterThan(100_000);
  expect(editor()).toBeLessThanOrEqual(FIRST_LOAD);
});
