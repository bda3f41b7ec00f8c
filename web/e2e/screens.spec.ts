/** Pictures of both pages in four widths and two themes, to be looked at: test-results/screens. */
import { look } from "./look";
import { allAgree, expect, test, type Person } from "./people";
import { Wire } from "./proxy";
import { Server, type DeltaOp } from "./server";

/** The last two are phones: fingers, and no room for scroll bars. */
const SIZES = [
  { viewport: { width: 1440, height: 900 } },
  { viewport: { width: 1024, height: 768 } },
  { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
  { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true },
];

const PLAN: DeltaOp[] = [
  { insert: "The beds along the wall" },
  { insert: "\n", attributes: { header: 1 } },
  {
    insert:
      "The south wall has sun from nine until six, and the two beds under the pear tree only until noon. Everything that wants warmth goes to the wall; the shade of the tree keeps the salads from bolting in July.\n",
  },
  { insert: "What goes where" },
  { insert: "\n", attributes: { header: 2 } },
  { insert: "Tomatoes, four plants, " },
  { insert: "staked early", attributes: { bold: true } },
  { insert: "\n", attributes: { list: "bullet" } },
  { insert: "Beans where the peas were" },
  { insert: "\n", attributes: { list: "bullet" } },
  { insert: "Order straw" },
  { insert: "\n", attributes: { list: "checked" } },
  { insert: "Mend the hose" },
  { insert: "\n", attributes: { list: "unchecked" } },
  { insert: "A garden is never finished; it is only ever this year’s." },
  { insert: "\n", attributes: { blockquote: true } },
  { insert: "Ben measured the long bed again: it is " },
  { insert: "3.40 m", attributes: { code: true } },
  { insert: ", not three. The quantities are in the " },
  { insert: "seed list", attributes: { link: "https://example.org/seeds" } },
  { insert: ".\n" },
];

// Pictures are taken, not waited for: a slow machine may take its time.
test.describe.configure({ timeout: 60_000 });

/** Puts the caret of `person` behind the first `words` of the sheet, and selects `length` characters from there. */
async function standAt(person: Person, line: number, steps: number, length = 0): Promise<void> {
  await person.goToStart();
  for (let down = 0; down < line; down++) await person.press("ArrowDown");
  await person.press("Home");
  for (let step = 0; step < steps; step++) await person.press("ArrowRight");
  await person.select(length);
}

for (const size of SIZES) {
  const { width } = size.viewport;

  test(`the list can be looked at, ${width} px`, async ({ arrive }) => {
    const server = await Server.start();
    const ana = await arrive("Ana Silva", size);
    await ana.openList(server.url);
    await expect(ana.page.getByRole("heading", { name: "Start the first document" })).toBeVisible();
    await look(ana.page, "empty");
    await server.create("Minutes, 12 March", [{ insert: "Present: Ana, Ben, Chidi. Excused: Dunja.\n" }]);
    await server.create("", [{ insert: "Things to ask the plumber about before he comes again on Thursday\n" }]);
    await server.create("A very long title that goes on until it does not fit on any line of a telephone", [
      { insert: "Short.\n" },
    ]);
    const id = await server.create("Garden plan", PLAN);
    const others = [await arrive("Ben Okafor"), await arrive("Chidi")];
    await Promise.all(others.map((person) => person.open(server.url, id)));
    await ana.openList(server.url);
    await expect(ana.page.getByRole("listitem")).toHaveCount(4);
    await expect(ana.page.getByRole("img", { name: "Chidi" })).toBeVisible();
    await look(ana.page, "documents");
    await ana.page.getByRole("button", { name: "Actions for Minutes, 12 March" }).click();
    await ana.page.getByRole("menuitem", { name: "Move to trash" }).click();
    await expect(ana.page.getByRole("button", { name: "Undo" })).toBeVisible();
    await look(ana.page, "undo");
    await ana.page.getByRole("button", { name: "More", exact: true }).click();
    await ana.page.getByRole("menuitem", { name: "Trash" }).click();
    await expect(ana.page.getByRole("button", { name: "Restore" })).toBeVisible();
    // Visible, with nothing over it.
    await ana.page.getByRole("dialog").getByText("just now").click({ trial: true });
    await look(ana.page, "trash");
    await server.remove();
  });

  test(`the editor can be looked at, ${width} px`, async ({ server, arrive }) => {
    const id = await server.create("Garden plan", PLAN);
    const [ana, ben] = [await arrive("Ana Silva"), await arrive("Ben Okafor")];
    const viewer = await arrive("Dunja Horvat", size);
    await Promise.all([ana, ben, viewer].map((person) => person.open(server.url, id)));
    await standAt(ana, 5, 6, 13);
    await ben.goToEnd();
    const { page } = viewer;
    await expect(page.locator(".caret")).toHaveCount(2);
    await page.evaluate(() => document.fonts.ready);
    await look(page, "editor", async () => {
      const writing = () =>
        document.querySelector(".typing")?.textContent === "Ben Okafor is typing…" &&
        document.querySelector(".caret.moving") !== null;
      await Promise.all([viewer.glimpses(writing), ben.type(".")]);
    });
    await page.keyboard.press("Control+k");
    await expect(page.getByRole("option").first()).toBeVisible();
    await look(page, "palette");
    await viewer.press("Escape", "Control+/");
    await look(page, "shortcuts");
    await viewer.press("Escape");
    await page.getByRole("button", { name: "More", exact: true }).click();
    await look(page, "menu");
    await viewer.press("Escape", "Control+Alt+o");
    await look(page, "outline");
    await allAgree(server, id, [ana, ben, viewer]);
  });

  test(`what goes wrong can be looked at, ${width} px`, async ({ server, arrive }) => {
    const id = await server.create("Garden plan", PLAN);
    const wire = await Wire.to(server.url);
    const ana = await arrive("Ana Silva", size);
    await ana.open(wire.url, id);
    wire.cut();
    await ana.seesState(/^Reconnecting/);
    await ana.goToEnd();
    await ana.type(" Written too late.");
    await look(ana.page, "reconnecting");
    await ana.context.setOffline(true);
    await ana.seesState(/^Offline/);
    await look(ana.page, "offline");
    await ana.context.setOffline(false);
    await ana.seesState(/^Reconnecting in/);
    await server.archive(id);
    wire.mend();
    await ana.retryNow();
    await expect(ana.page.getByRole("alert", { name: "Changes that were not kept" })).toBeVisible();
    await expect(ana.page.getByRole("button", { name: "Put away" })).toBeInViewport({ ratio: 1 });
    await look(ana.page, "lost");
    await server.trash(id);
    await ana.seesState("This document was deleted");
    await look(ana.page, "deleted");
    await ana.page.goto(`${server.url}/d/${id}`);
    await expect(ana.page.getByRole("button", { name: "Restore" })).toBeVisible();
    await look(ana.page, "trashed");
    await wire.close();
  });
}

// Zoom makes the page as many times narrower as it makes the text larger: 1280 px at 200 % and at 400 %.
for (const zoom of [2, 4]) {
  test(`at ${zoom}00 % zoom nothing is cut off`, async ({ server, arrive }) => {
    const id = await server.create("Zoomed", PLAN);
    const ana = await arrive("Ana", { viewport: { width: 1280 / zoom, height: 400 }, deviceScaleFactor: zoom });
    for (const address of [server.url, `${server.url}/d/${id}`]) {
      await ana.page.goto(address);
      await expect(ana.page.getByText("Zoomed").or(ana.sheet).first()).toBeVisible();
      expect(await ana.page.evaluate(cutOff)).toEqual([]);
    }
  });
}

/** Names what reaches beyond the window where it cannot be scrolled to. Runs in the page, so it stands by itself. */
function cutOff(): string[] {
  const scrolls = (element: Element): boolean => {
    for (let at = element.parentElement; at && at !== document.body; at = at.parentElement)
      if (/auto|scroll/.test(getComputedStyle(at).overflowX)) return true;
    return false;
  };
  return [...document.body.querySelectorAll("*")]
    .filter((element) => element.checkVisibility() && !element.closest(".visually-hidden"))
    .filter((element) => {
      const { left, right } = element.getBoundingClientRect();
      return (right > innerWidth + 1 || left < -1) && !scrolls(element);
    })
    .map((element) => `${element.tagName}.${element.getAttribute("class") ?? ""}`);
}
