/** Two people and a document: invited, demoted, removed, let in by a link. */
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { makeAccount, openToAll, signIn } from "./accounts";
import { expect, test } from "./people";

test.describe.configure({ timeout: 90_000 });

/** Opens the dialog and waits until it knows who has access. */
async function openShare(page: Page) {
  await page.getByRole("button", { name: "Share", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Share" });
  await expect(dialog.getByRole("heading", { level: 3 }).first()).toBeVisible();
  return dialog;
}

test("somebody is invited by their user id, demoted and removed while they write", async ({ arrive }) => {
  const server = await openToAll({ QUIRE_GUESTS: "off" });
  const [anas, bens] = [await makeAccount(server, "Ana"), await makeAccount(server, "Ben")];
  const id = await server.create("Ours", [{ insert: "text\n" }], anas.token);
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([signIn(ana, server, anas), signIn(ben, server, bens)]);
  await ben.page.goto(`${server.url}/d/${id}`);
  await expect(ben.page.getByRole("heading", { name: "You have no access to this document" })).toBeVisible();
  await expect(ben.page.getByText(bens.id)).toBeVisible();

  await ana.open(server.url, id);
  const dialog = await openShare(ana.page);
  await dialog.getByLabel("Add by user id").fill(bens.id);
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  const role = dialog.getByRole("combobox", { name: /^What (Ben|usr_\w+) may do$/ });
  await expect(role).toHaveValue("editor");
  const found = await new AxeBuilder({ page: ana.page }).include("dialog").analyze();
  expect(found.violations).toEqual([]);

  await ben.open(server.url, id);
  await ben.goToEnd();
  await ben.type("!");
  await ben.hasSaved();
  await ana.sees("text!");

  await role.selectOption("viewer");
  await ben.seesState("View only");
  await expect(ben.sheet).toHaveAttribute("contenteditable", "false");
  await expect(ben.page.getByRole("toolbar")).toBeHidden();
  await role.selectOption("editor");
  await ben.canWrite();
  await expect(ben.page.getByRole("toolbar")).toBeVisible();

  await dialog.getByRole("button", { name: /^Remove / }).click();
  await expect(role).toHaveCount(0);
  await ben.seesState("Someone removed your access");
  await expect(ben.sheet).toHaveAttribute("contenteditable", "false");
  // The dialog gives the focus back to where it was opened.
  await ana.press("Escape");
  await expect(ana.page.getByRole("button", { name: "Share", exact: true })).toBeFocused();
  await server.remove();
});

test("somebody who is here is added by one press", async ({ arrive }) => {
  const server = await openToAll();
  const [anas, bens] = [await makeAccount(server, "Ana"), await makeAccount(server, "Ben")];
  const id = await server.create("Ours", [{ insert: "text\n" }], anas.token);
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([signIn(ana, server, anas), signIn(ben, server, bens)]);
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await expect(ana.page.getByRole("button", { name: /^Ben, / })).toBeVisible();
  const dialog = await openShare(ana.page);
  await dialog.getByRole("combobox", { name: "What they may do" }).selectOption("viewer");
  await dialog.getByRole("button", { name: "Add Ben" }).click();
  await ben.seesState("View only");
  // By the address Ben could write; what is said of him comes before that.
  await dialog.getByRole("combobox", { name: "What whoever has the address may do" }).selectOption("none");
  await expect
    .poll(async (): Promise<unknown> => (await server.call("GET", `/v1/docs/${id}`, undefined, anas.token)).json())
    .toMatchObject({ permissions: { link: null } });

  // Ben sees what he may do, and nothing to change it with.
  const seen = await openShare(ben.page);
  await expect(seen).toContainText("You may read.");
  await expect(seen.getByRole("combobox")).toHaveCount(0);
  await server.remove();
});

test("a share link lets a stranger in, is gone from the address, and ends when it is revoked", async ({ arrive }) => {
  const server = await openToAll();
  const account = await makeAccount(server, "Ana");
  const id = await server.create("Linked", [{ insert: "text\n" }], account.token);
  await server.call("PUT", `/v1/docs/${id}/link`, { role: "none" }, account.token);
  const [ana, guest] = [await arrive("Ana"), await arrive("Guest")];
  await signIn(ana, server, account);
  await ana.open(server.url, id);
  const dialog = await openShare(ana.page);
  await dialog.getByRole("combobox", { name: "What the link is good for" }).selectOption("editor");
  await dialog.getByRole("combobox", { name: "How long the link is good" }).selectOption("24");
  await dialog.getByRole("button", { name: "Create a link" }).click();
  const address = await dialog.getByLabel("The new link").inputValue();
  await expect(dialog.getByRole("listitem").filter({ hasText: "Link: may write" })).toContainText("until");

  await guest.page.goto(`${server.url}/d/${id}`);
  await expect(guest.page.getByRole("heading", { name: "You have no access to this document" })).toBeVisible();
  await guest.page.goto("about:blank");
  await guest.page.goto(address);
  await guest.canWrite();
  await expect(guest.page).toHaveURL(`${server.url}/d/${id}`);
  await guest.goToEnd();
  await guest.type("!");
  await guest.hasSaved();
  // For this tab it lasts.
  await guest.page.reload();
  await guest.canWrite();
  await guest.sees("text!");

  await dialog.getByRole("button", { name: "Revoke" }).click();
  await guest.seesState("Someone removed your access");
  await guest.page.reload();
  await expect(guest.page.getByRole("heading", { name: "You have no access to this document" })).toBeVisible();
  await server.remove();
});

test("what is given for some time ends by itself", async ({ arrive }) => {
  const server = await openToAll({ QUIRE_GUESTS: "off" });
  const [anas, bens] = [await makeAccount(server, "Ana"), await makeAccount(server, "Ben")];
  const id = await server.create("For a while", [{ insert: "text\n" }], anas.token);
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await signIn(ana, server, anas);
  await ana.open(server.url, id);
  const dialog = await openShare(ana.page);
  await dialog.getByLabel("Add by user id").fill(bens.id);
  await dialog.getByRole("combobox", { name: "For how long" }).selectOption("1");
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await expect(dialog.getByRole("listitem").filter({ hasText: "until" })).toBeVisible();

  await signIn(ben, server, bens);
  await ben.open(server.url, id);
  const soon = Date.now() + 3_000;
  await server.call("PUT", `/v1/docs/${id}/permissions/${bens.id}`, { role: "editor", expires_at: soon }, anas.token);
  await ben.seesState("Someone removed your access");
  await server.remove();
});

test("a document is given to another owner, after a question", async ({ arrive }) => {
  const server = await openToAll();
  const [anas, bens] = [await makeAccount(server, "Ana"), await makeAccount(server, "Ben")];
  const id = await server.create("Passed on", [{ insert: "text\n" }], anas.token);
  await server.call("PUT", `/v1/docs/${id}/permissions/${bens.id}`, { role: "viewer" }, anas.token);
  const ana = await arrive("Ana");
  await signIn(ana, server, anas);
  await ana.open(server.url, id);
  const dialog = await openShare(ana.page);
  await dialog.getByRole("button", { name: "Give to somebody else" }).click();
  await expect(ana.page.getByLabel("User id of the new owner")).toHaveValue(bens.id);
  await ana.press("Enter");
  await ana.page.getByRole("dialog", { name: /^Give the document to/ }).getByRole("button", { name: "Give", exact: true }).click();
  await expect(ana.page.getByRole("dialog")).toHaveCount(0);
  const response = await server.call("GET", `/v1/docs/${id}`, undefined, bens.token);
  expect(await response.json()).toMatchObject({ metadata: { owner: bens.id } });
  // The old one goes on writing, and sees who has access no more.
  await ana.canWrite();
  await expect((await openShare(ana.page)).getByRole("combobox")).toHaveCount(0);
  await server.remove();
});

test("an administrator opens the administration by signing in", async ({ arrive }) => {
  const server = await openToAll();
  const account = await makeAccount(server, "Ana");
  const ana = await arrive("Ana");
  await signIn(ana, server, account);
  await ana.page.goto(`${server.url}/admin`);
  await expect(ana.page.getByRole("alert")).toHaveText("You are signed in as Ana, who is not an administrator.");
  await expect(ana.page.getByLabel("Token of an administrator")).toBeVisible();
  await server.stop("SIGTERM");
  server.change("user", "change", account.email, "--admin", "on");
  await server.launchAgain();
  await ana.page.goto(`${server.url}/admin`);
  await expect(ana.page.getByRole("heading", { name: "Documents in memory" })).toBeVisible();
  await server.remove();
});
