/** What others have written is shown, and never run: in text, titles, names, links, images, and whatever else a delta can hold. */
import { expect, type Page } from "@playwright/test";
import { test } from "./people";
import type { DeltaOp } from "./server";

const RUN = "window.__xss=1,alert(1)";

const MARKUP = [
  `<script>${RUN}</script>`,
  `<img src=x onerror="${RUN}">`,
  `<svg onload="${RUN}"></svg>`,
  `"><script>${RUN}</script>`,
  `</title><script>${RUN}</script>`,
  `<iframe srcdoc="<script>parent.${RUN}</script>"></iframe>`,
  `<a href="javascript:${RUN}">click</a>`,
];

const ADDRESSES = [
  `javascript:${RUN}`,
  `JaVaScRiPt:${RUN}`,
  ` javascript:${RUN}`,
  `data:text/html,<script>${RUN}</script>`,
  `data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" onload="${RUN}"/>`,
  `https://x" onmouseover="${RUN}`,
];

/** Everything that can be hostile in one document; of embeds, only with `foreign` those that the editor does not have. */
function content(foreign = false): DeltaOp[] {
  const ops: DeltaOp[] = [];
  for (const markup of MARKUP) {
    ops.push({ insert: markup }, { insert: "\n" });
    ops.push({ insert: "styled", attributes: { color: markup, background: markup, font: markup, size: markup } });
    ops.push({ insert: "named", attributes: { [markup.slice(0, 60)]: markup, onclick: RUN, style: markup } });
    ops.push({ insert: "\n", attributes: { header: markup } });
    ops.push({ insert: { image: markup }, attributes: { alt: markup, width: markup, height: markup } });
    ops.push({ insert: "\n" });
    if (foreign) ops.push({ insert: { formula: markup } }, { insert: { [markup.slice(0, 60)]: 1 } }, { insert: "\n" });
  }
  for (const address of ADDRESSES) {
    ops.push({ insert: "a link", attributes: { link: address } }, { insert: " " });
    ops.push({ insert: { image: address } }, { insert: "\n" });
    if (foreign) ops.push({ insert: { video: address } }, { insert: "\n" });
  }
  return [...ops, { insert: "the end\n" }];
}

/** Takes note of whatever runs: a dialog, a variable, a page that is left. Links that lead out of here lead nowhere. */
async function watch(page: Page) {
  const seen: string[] = [];
  await page.context().route(/^https:\/\/x/, (route) => route.abort("aborted"));
  page.on("dialog", (dialog) => {
    seen.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("framenavigated", (frame) => {
    if (/^(javascript|data|blob):/.test(frame.url())) seen.push(`a page: ${frame.url()}`);
  });
  page.on("popup", (popup) => {
    if (/^(javascript|data|blob):/.test(popup.url())) seen.push(`a window: ${popup.url()}`);
  });
  return async () => {
    const ran = await page.evaluate(() => "__xss" in window);
    return ran ? [...seen, "a script"] : seen;
  };
}

test("a document full of script shows it and runs nothing", async ({ server, arrive }) => {
  const [first = "", ...others] = MARKUP;
  const id = await server.create(first, content());
  for (const title of others) await server.create(title);
  const reader = await arrive("Reader");
  const ran = await watch(reader.page);
  await reader.open(server.url, id);
  await reader.sees("the end");
  await reader.sees(first);
  // What a script would have made of itself, and what a careless renderer would have made of the text.
  const made = "script, iframe[srcdoc], svg[onload], [onerror], [onclick], [onmouseover]";
  expect(await reader.sheet.locator(made).count()).toBe(0);
  const addresses = await reader.sheet
    .locator("a, iframe")
    .evaluateAll((all) => all.flatMap((one) => ["href", "src"].map((name) => one.getAttribute(name) ?? "")));
  for (const address of addresses) {
    expect(address.trim().toLowerCase()).not.toMatch(/^(javascript|vbscript|data:text)/);
  }
  // Followed as people follow them.
  await reader.sheet.locator("a").evaluateAll((all) => all.forEach((one) => (one as HTMLElement).click()));
  expect(await ran()).toEqual([]);
  await reader.openList(server.url);
  for (const title of others) await expect(reader.page.getByText(title, { exact: true }).first()).toBeVisible();
  expect(await ran()).toEqual([]);
});

test("a person whose name is script is a person", async ({ server, arrive }) => {
  test.slow();
  const id = await server.create("Plan", [{ insert: "Hello\n" }]);
  const reader = await arrive("Reader");
  const ran = await watch(reader.page);
  await reader.open(server.url, id);
  for (const name of MARKUP.slice(0, 3).map((markup) => markup.slice(0, 60))) {
    const guest = await arrive(name);
    await guest.open(server.url, id);
    await guest.goToEnd();
    await guest.type("x");
    await reader.sees("x");
    await guest.context.close();
  }
  expect(await ran()).toEqual([]);
});

test("what is taken away as HTML runs nothing when it is opened by itself", async ({ server, arrive }) => {
  const id = await server.create("Plan", content(true));
  const reader = await arrive("Reader");
  const ran = await watch(reader.page);
  await reader.page.goto(`${server.url}/v1/docs/${id}/content?format=html`);
  await expect(reader.page.getByText("the end")).toBeVisible();
  expect(await reader.page.locator("script, iframe, svg, object, embed, form").count()).toBe(0);
  await reader.page.locator("a").evaluateAll((all) => all.forEach((one) => (one as HTMLElement).click()));
  expect(await ran()).toEqual([]);
});
