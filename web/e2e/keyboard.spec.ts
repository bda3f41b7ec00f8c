/** Everything by keyboard, and what assistive programs are told. */
import AxeBuilder from "@axe-core/playwright";
import type { Locator, Page } from "@playwright/test";
import { allAgree, expect, test } from "./people";
import { Wire } from "./proxy";

/** What has the focus, as it is named. */
function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement;
    return element?.getAttribute("aria-label") ?? element?.textContent ?? "";
  });
}

test("Tab walks through the editor in the order of reading, and out of the sheet", async ({ server, arrive }) => {
  const id = await server.create("Walk", [{ insert: "text\n" }]);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.page.getByRole("link", { name: "All documents" }).focus();
  const walked: string[] = [];
  for (let stop = 0; stop < 7; stop++) {
    await ana.press("Tab");
    walked.push(await focused(ana.page));
  }
  expect(walked).toEqual([
    "Title of the document",
    "Ana (you): change your name",
    "Share",
    "Outline",
    "More",
    "Text",
    "Text of the document",
  ]);
  // Tab writes a tab into the sheet; after Esc it moves on.
  await ana.press("Escape", "Shift+Tab");
  expect(await focused(ana.page)).toBe("Text");
  expect(await allAgree(server, id, [ana])).toBe("text\n");
});

test("arrows walk within the toolbar", async ({ server, arrive }) => {
  const id = await server.create("Toolbar walk", [{ insert: "text\n" }]);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.page.getByRole("button", { name: "Bold" }).focus();
  await ana.press("ArrowRight");
  expect(await focused(ana.page)).toBe("Italic");
  await ana.press("ArrowLeft", "ArrowLeft");
  expect(await focused(ana.page)).toBe("Text");
  await ana.press("Escape");
  await expect(ana.sheet).toBeFocused();
});

test("what somebody else writes leaves the focus where it is, and the caret in its place", async ({ server, arrive }) => {
  const id = await server.create("Focus", [{ insert: "middle\n" }]);
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await ana.goToStart();
  await ana.press("ArrowRight", "ArrowRight", "ArrowRight");
  const bold = ana.page.getByRole("button", { name: "Bold" });
  await bold.focus();
  await ben.goToStart();
  await ben.type("before ");
  await ana.sees("before middle");
  await ben.goToEnd();
  await ben.type(" after");
  await ana.sees("middle after");
  await expect(bold).toBeFocused();
  await ana.press("Escape");
  await expect(ana.sheet).toBeFocused();
  await ana.type("|");
  expect(await allAgree(server, id, [ana, ben])).toBe("before mid|dle after\n");
});

test("the palette finds documents and commands, and gives the focus back", async ({ server, arrive }) => {
  const id = await server.create("Palette here", [{ insert: "text\n" }]);
  const other = await server.create("Elsewhere entirely");
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.goToStart();
  await ana.press("Control+k");
  await ana.type("outl");
  await expect(ana.page.getByRole("option")).toHaveCount(1);
  await ana.press("Escape");
  await expect(ana.page.getByRole("dialog")).toHaveCount(0);
  await expect(ana.sheet).toBeFocused();
  await ana.press("Control+k");
  await ana.type("entirely");
  await expect(ana.page.getByRole("option", { name: "Elsewhere entirely" })).toHaveAttribute("aria-selected", "true");
  await ana.press("Enter");
  await expect(ana.page).toHaveURL(`${server.url}/d/${other}`);
});

test("the shortcut list opens and closes by keyboard", async ({ server, arrive }) => {
  const id = await server.create("Shortcuts");
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.goToStart();
  await ana.press("Control+/");
  await expect(ana.page.getByRole("dialog", { name: "Keyboard shortcuts" })).toContainText("Bold");
  await ana.press("Escape");
  await expect(ana.sheet).toBeFocused();
});

test("the outline leads to headings, and Esc closes it", async ({ server, arrive }) => {
  const id = await server.create("Outline", [
    { insert: "One" },
    { insert: "\n", attributes: { header: 1 } },
    { insert: `${"text\n".repeat(80)}Two` },
    { insert: "\n", attributes: { header: 2 } },
  ]);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.press("Control+Alt+o");
  await ana.page.getByRole("button", { name: "Two" }).click();
  await expect(ana.sheet.locator("h2")).toBeInViewport();
  await ana.page.getByRole("button", { name: "Two" }).focus();
  await ana.press("Escape");
  await expect(ana.sheet).toBeFocused();
  const button = ana.page.getByRole("button", { name: "Outline", exact: true });
  await button.press("Enter");
  await ana.press("Escape");
  await expect(button).toBeFocused();
});

test("theme and font of the sheet are switched and kept", async ({ server, arrive }) => {
  const id = await server.create("Look", [{ insert: "text\n" }]);
  const ana = await arrive("Ana", { colorScheme: "light" });
  await ana.open(server.url, id);
  const background = () => ana.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  await ana.page.getByRole("button", { name: "More", exact: true }).click();
  await ana.page.getByRole("menuitemradio", { name: "Dark" }).click();
  await expect.poll(background).not.toBe(light);
  await ana.page.getByRole("button", { name: "More", exact: true }).click();
  await ana.page.getByRole("menuitemradio", { name: "Typewriter" }).click();
  await expect(ana.sheet).toHaveCSS("font-family", /mono/i);
  await ana.page.reload();
  await expect.poll(background).not.toBe(light);
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`nothing serious is wrong for assistive programs, ${colorScheme}`, async ({ server, arrive }) => {
    // Four times the whole page is gone through, which is seconds of computing each on a slow machine, and no waiting.
    test.slow();
    const id = await server.create("Accessible", [
      { insert: "Heading" },
      { insert: "\n", attributes: { header: 1 } },
      { insert: "text\n" },
    ]);
    const ana = await arrive("Ana", { colorScheme });
    await ana.openList(server.url);
    await expect(ana.page.getByRole("listitem").first()).toBeVisible();
    await isAccessible(ana.page);
    await ana.open(server.url, id);
    await ana.hasSaved();
    await isAccessible(ana.page);
    await ana.press("Control+k");
    await expect(ana.page.getByRole("option").first()).toBeVisible();
    await isAccessible(ana.page);
    const muted = await ana.page.locator(".palette-heading").first().evaluate((heading) => getComputedStyle(heading).color);
    const field = ana.page.getByRole("combobox");
    expect(await field.evaluate((input) => getComputedStyle(input, "::placeholder").color)).toBe(muted);
    await ana.press("Escape", "Control+/");
    await isAccessible(ana.page);
  });

  test(`nothing serious is wrong on a phone either, ${colorScheme}`, async ({ server, arrive }) => {
    // As above.
    test.slow();
    const id = await server.create("Accessible on a phone", [{ insert: "text\n" }]);
    const ana = await arrive("Ana", { ...PHONE, colorScheme });
    await ana.openList(server.url);
    await expect(ana.page.getByRole("listitem").first()).toBeVisible();
    await isAccessible(ana.page);
    await ana.open(server.url, id);
    await isAccessible(ana.page);
    await server.archive(id);
    await ana.seesState("View only");
    await expect(ana.page.getByRole("toolbar")).toBeHidden();
    await isAccessible(ana.page);
    await server.trash(id);
    await ana.seesState("This document was deleted");
    await isAccessible(ana.page);
  });
}

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** In px: what a finger hits without looking twice. */
const TOUCH = 44;

for (const width of [390, 320]) {
  test(`on a phone of ${width} px fingers find what they look for, and the state line is whole`, async ({
    server,
    arrive,
  }) => {
    const id = await server.create("Fingers", [{ insert: "text\n" }]);
    const ana = await arrive("Ana", { ...PHONE, viewport: { width, height: 700 } });
    const wire = await Wire.to(server.url);
    await ana.open(wire.url, id);
    for (const person of [await arrive("Ben"), await arrive("Chidi")]) await person.open(server.url, id);
    await expect(ana.page.getByRole("group", { name: "Who is here" }).getByRole("button", { name: /more$/ })).toBeVisible();
    const { page } = ana;
    await isLargeEnough(page.getByRole("textbox", { name: "Title of the document" }));
    await isLargeEnough(page.getByRole("link", { name: "All documents" }));
    wire.cut();
    await ana.seesState(/^Reconnecting/);
    const whole = () =>
      ana.state.locator(".state-text").evaluate((text) => {
        const box = text.getBoundingClientRect();
        return text.scrollWidth <= text.clientWidth && box.right <= innerWidth && box.height < 44;
      });
    await expect.poll(whole).toBe(true);
    await expect(async () => isLargeEnough(page.getByRole("button", { name: "Retry now" }))).toPass();
    await ana.context.setOffline(true);
    await ana.seesState(/^Offline/);
    await expect.poll(whole).toBe(true);
    await wire.close();
  });
}

async function isLargeEnough(target: Locator): Promise<void> {
  const box = await target.boundingBox({ timeout: 1_000 });
  expect(Math.min(box?.width ?? 0, box?.height ?? 0)).toBeGreaterThanOrEqual(TOUCH);
}

async function isAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
}
