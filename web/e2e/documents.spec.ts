/** The list: find, start, rename, throw away and take back. */
import { Server } from "./server";
import { Gate } from "./gate";
import { expect, test } from "./people";

test("an empty list invites, and its button starts a document", async ({ arrive }) => {
  const server = await Server.start();
  const ana = await arrive("Ana");
  await ana.openList(server.url);
  await expect(ana.page.getByRole("heading", { name: "Start the first document" })).toBeVisible();
  await ana.page.getByRole("main").getByRole("button", { name: "New document" }).click();
  await ana.canWrite();
  await ana.type("The first words");
  await ana.hasSaved();
  await ana.page.getByRole("link", { name: "All documents" }).click();
  const row = ana.page.getByRole("listitem");
  await expect(row).toContainText("Untitled");
  await expect(row).toContainText("The first words");
  await expect(row).toContainText("just now");
  await server.remove();
});

test("the way back to the list waits for what is being saved", async ({ server, arrive }) => {
  const id = await server.create("On its way");
  const ana = await arrive("Ana");
  const gate = await Gate.before(ana.page);
  await ana.open(server.url, id);
  gate.close();
  await ana.goToStart();
  await ana.type("S");
  await expect(ana.state).toHaveAttribute("data-saved", "false");
  await ana.page.getByRole("link", { name: "All documents" }).click();
  await expect(ana.page).toHaveURL(`${server.url}/d/${id}`);
  gate.open();
  await expect(ana.page).toHaveURL(`${server.url}/`);
  await expect(ana.page.getByRole("listitem").filter({ hasText: "On its way" }).locator(".row-preview")).toHaveText("S");
});

test("the search narrows the list while one types", async ({ server, arrive }) => {
  await server.create("Herbarium notes", [{ insert: "Dried and pressed\n" }]);
  await server.create("Harbour plan", [{ insert: "Quays and cranes\n" }]);
  const ana = await arrive("Ana");
  await ana.openList(server.url);
  await ana.press("/");
  await ana.type("herbar");
  const rows = ana.page.getByRole("listitem");
  await expect(rows).toHaveCount(1);
  await expect(rows).toContainText("Herbarium notes");
  await ana.press("ArrowDown", "Enter");
  await ana.canWrite();
  await expect(ana.page.getByRole("textbox", { name: "Title of the document" })).toHaveValue("Herbarium notes");
});

test("a search without a result offers to make the document", async ({ server, arrive }) => {
  const ana = await arrive("Ana");
  await ana.openList(server.url);
  await ana.press("/");
  await ana.type("zanzibar");
  await ana.page.getByRole("button", { name: "New document “zanzibar”" }).click();
  await ana.canWrite();
  await expect(ana.page.getByRole("textbox", { name: "Title of the document" })).toHaveValue("zanzibar");
});

test("a document is renamed in the list", async ({ server, arrive }) => {
  const id = await server.create("Working title");
  const ana = await arrive("Ana");
  await ana.openList(server.url);
  await ana.page.getByRole("button", { name: "Actions for Working title" }).click();
  await ana.page.getByRole("menuitem", { name: "Rename" }).click();
  await ana.type("Final title");
  await ana.press("Enter");
  await expect(ana.page.getByRole("link", { name: /Final title/ })).toBeFocused();
  await expect.poll(() => server.title(id)).toBe("Final title");
});

test("a document is renamed where it is written", async ({ server, arrive }) => {
  const id = await server.create("");
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.press("F2");
  await ana.type("A name");
  await ana.press("Enter");
  await expect(ana.sheet).toBeFocused();
  await expect.poll(() => server.title(id)).toBe("A name");
  await expect(ana.page).toHaveTitle("A name · quire");
  // The key that ended it did nothing to the text.
  await ana.type("x");
  await ana.hasSaved();
  expect(await server.content(id)).toEqual([{ insert: "x\n" }]);
});

test("a title that somebody else gives is seen by those who are here", async ({ server, arrive }) => {
  const id = await server.create("Before");
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await ben.goToStart();
  await ana.press("F2");
  await ana.type("After");
  await ana.press("Enter");
  await expect(ben.page.getByRole("textbox", { name: "Title of the document" })).toHaveValue("After", { timeout: 15_000 });
});

test("typing into the title of a new document replaces the one it was given", async ({ server, arrive }) => {
  const ana = await arrive("Ana");
  await ana.openList(server.url);
  await ana.page.getByRole("button", { name: "New document" }).first().click();
  await ana.canWrite();
  const title = ana.page.getByRole("textbox", { name: "Title of the document" });
  await expect(title).toHaveValue("Untitled");
  await title.click();
  await ana.type("Letters");
  await expect(title).toHaveValue("Letters");
  // One that somebody has given is not selected: a click puts the caret where it was made.
  await ana.press("Enter");
  await title.click({ position: { x: 4, y: 12 } });
  await ana.press("Home");
  await ana.type("More ");
  await expect(title).toHaveValue("More Letters");
});

test("what goes to the trash comes back with Undo", async ({ server, arrive }) => {
  await server.create("Thrown away");
  const ana = await arrive("Ana");
  await ana.openList(server.url);
  const link = ana.page.getByRole("link", { name: /Thrown away/ });
  await link.focus();
  await ana.press("Delete");
  await expect(link).toHaveCount(0);
  await ana.page.getByRole("button", { name: "Undo" }).click();
  await expect(link).toBeVisible();
  await ana.page.reload();
  await expect(link).toBeVisible();
});

test("the trash shows what was thrown away, and gives it back", async ({ server, arrive }) => {
  const id = await server.create("Long gone", [{ insert: "text\n" }]);
  await server.trash(id);
  const ana = await arrive("Ana");
  await ana.openList(server.url);
  await ana.page.getByRole("button", { name: "More", exact: true }).click();
  await ana.page.getByRole("menuitem", { name: "Trash" }).click();
  const entry = ana.page.getByRole("dialog", { name: "Trash" }).getByRole("listitem").filter({ hasText: "Long gone" });
  await entry.getByRole("button", { name: "Restore" }).click();
  await ana.press("Escape");
  await expect(ana.page.getByRole("link", { name: /Long gone/ })).toBeVisible();
});

test("the address of a document in the trash offers to restore it", async ({ server, arrive }) => {
  const id = await server.create("Address", [{ insert: "still here\n" }]);
  await server.trash(id);
  const ana = await arrive("Ana");
  await ana.page.goto(`${server.url}/d/${id}`);
  await ana.page.getByRole("button", { name: "Restore" }).click();
  await ana.sees("still here");
});

test("an open document goes to the trash and comes back from the list", async ({ server, arrive }) => {
  const id = await server.create("Thrown while open", [{ insert: "text\n" }]);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.page.getByRole("button", { name: "More", exact: true }).click();
  await ana.page.getByRole("menuitem", { name: "Move to trash" }).click();
  await expect(ana.page).toHaveURL(`${server.url}/`);
  await ana.page.getByRole("button", { name: "Undo" }).click();
  await expect(ana.page.getByRole("link", { name: /Thrown while open/ })).toBeVisible();
});

test("the first line of a document is shown and found before anybody has opened it", async ({ server, arrive }) => {
  await server.create("Never opened", [{ insert: "written elsewhere\n" }]);
  const ana = await arrive("Ana");
  await ana.openList(server.url);
  const row = ana.page.getByRole("listitem").filter({ hasText: "Never opened" });
  await expect(row).toContainText("written elsewhere");
  await ana.press("/");
  await ana.type("en elsewh");
  await expect(ana.page.getByRole("listitem")).toHaveCount(1);
  await expect(row).toBeVisible();
});

test("a key that is held down throws away one document, and every Undo stays", async ({ arrive }) => {
  const server = await Server.start();
  for (const title of ["One", "Two", "Three", "Four", "Five"]) await server.create(title);
  const ana = await arrive("Ana");
  await ana.page.clock.install();
  await ana.openList(server.url);
  const rows = ana.page.getByRole("listitem");
  await expect(rows).toHaveCount(5);
  // Messages go after some seconds, however long a slow machine takes for what follows.
  await ana.page.clock.pauseAt((await ana.page.evaluate(() => Date.now())) + 5_000);
  await rows.first().getByRole("link").focus();
  for (let repeated = 0; repeated < 3; repeated++) await ana.page.keyboard.down("Delete");
  await ana.page.keyboard.up("Delete");
  await expect(rows).toHaveCount(4);
  for (let left = 3; left > 0; left--) {
    await ana.press("Delete");
    await expect(rows).toHaveCount(left);
  }
  await expect(ana.page.getByRole("button", { name: "Undo" })).toHaveCount(4);
  await server.remove();
});

test("an answer that is older than a deletion does not bring the document back", async ({ server, arrive }) => {
  const id = await server.create("Going");
  const ana = await arrive("Ana");
  await ana.openList(server.url);
  const link = ana.page.getByRole("link", { name: /^Going/ });
  await expect(link).toBeVisible();
  let answer: () => void = () => undefined;
  const held = new Promise<void>((release) => (answer = release));
  await ana.page.route(/\/v1\/docs\?/, async (route) => {
    const response = await route.fetch();
    await held;
    // The page may have given it up.
    await route.fulfill({ response }).catch(() => undefined);
  });
  const asked = ana.page.waitForRequest(/\/v1\/docs\?/);
  await ana.page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await asked;
  await ana.page.unroute(/\/v1\/docs\?/);
  await link.focus();
  await ana.press("Delete");
  await expect(ana.page.getByRole("button", { name: "Undo" })).toBeVisible();
  answer();
  await ana.page.evaluate(() => new Promise((done) => setTimeout(done)));
  await expect(link).toHaveCount(0);
  expect(await server.title(id).catch(() => "gone")).toBe("gone");
});

test("the list shows who has a document open", async ({ server, arrive }) => {
  const id = await server.create("Busy");
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await ben.open(server.url, id);
  await ana.openList(server.url);
  await expect(
    ana.page.getByRole("listitem").filter({ hasText: "Busy" }).getByRole("img", { name: "Ben" }),
  ).toBeVisible();
});
