/** Signing in and out, and what one does with one's account. */
import AxeBuilder from "@axe-core/playwright";
import { codeOf, fillIn, makeAccount, openToAll, signIn, PASSWORD } from "./accounts";
import { allAgree, expect, test } from "./people";
import { Server } from "./server";

test.describe.configure({ timeout: 90_000 });

test("somebody makes an account, writes under its name, and signs out", async ({ arrive }) => {
  const server = await openToAll();
  const ana = await arrive("Ana");
  const { page } = ana;
  await ana.openList(server.url);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Make an account" }).click();
  await page.getByLabel("Name").fill("Ana Silva");
  await page.getByLabel("Email address").fill("ana@example.org");
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Make the account" }).click();
  await expect(page.getByRole("heading", { name: "Make an account" })).toBeVisible();
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Make the account" }).click();
  await expect(page.getByRole("button", { name: "Ana Silva: your account" })).toBeVisible();
  await page.getByRole("button", { name: "New document" }).first().click();
  await ana.canWrite();
  await expect(page.getByRole("button", { name: "Ana Silva (you): your account" })).toBeVisible();
  await ana.type("mine");
  await ana.hasSaved();
  // Each load asks for a token anew; none is kept where scripts could find it.
  await page.reload();
  await ana.canWrite();
  await expect(page.getByRole("button", { name: "Ana Silva (you): your account" })).toBeVisible();
  const kept = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie]));
  expect(kept).not.toMatch(/eyJ|qr_/);
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
  await server.remove();
});

test("a wrong password says so, and nothing of who has an account", async ({ arrive }) => {
  const server = await openToAll();
  await makeAccount(server, "Ana");
  const ana = await arrive("Ana");
  await ana.page.goto(`${server.url}/sign-in`);
  await fillIn(ana.page, "ana@example.org", "wrong horse");
  await expect(ana.page.getByRole("alert")).toHaveText("The address or the password is wrong.");
  await fillIn(ana.page, "nobody@example.org", "wrong horse");
  await expect(ana.page.getByRole("alert")).toHaveText("The address or the password is wrong.");
  await server.remove();
});

test("without guests every page leads to the way in and back, and to no other server", async ({ arrive }) => {
  const server = await openToAll({ QUIRE_GUESTS: "off" });
  const account = await makeAccount(server, "Ana");
  const id = await server.create("Private", [{ insert: "for few\n" }], account.token);
  const ana = await arrive("Ana");
  await ana.page.goto(`${server.url}/d/${id}`);
  await expect(ana.page).toHaveURL(/\/sign-in\?to=/);
  await fillIn(ana.page, account.email);
  await ana.canWrite();
  await ana.sees("for few");
  await ana.page.goto(`${server.url}/sign-in?to=//elsewhere.example/`);
  await expect(ana.page).toHaveURL(`${server.url}/`);
  await server.remove();
});

test("a guest who signs in keeps the document open, and what was typed", async ({ arrive }) => {
  const server = await openToAll();
  const account = await makeAccount(server, "Ana");
  const id = await server.create("Everybody's");
  const [ana, ben] = [await arrive("Anonymous"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await ana.goToStart();
  await ana.type("before ");
  await ana.page.getByRole("button", { name: "Sign in" }).click();
  await fillIn(ana.page, account.email);
  await expect(ana.page.getByRole("dialog")).toHaveCount(0);
  await expect(ana.page.getByRole("button", { name: "Ana (you): your account" })).toBeVisible();
  await expect(ben.page.getByRole("button", { name: /^Ana, / })).toBeVisible();
  await ana.canWrite();
  await ana.sheet.focus();
  await ana.press("Control+End");
  await ana.type("after");
  expect(await allAgree(server, id, [ana, ben])).toBe("before after\n");
  await server.remove();
});

test("whoever is signed out elsewhere is told, keeps what was typed, and goes on after signing in", async ({ arrive }) => {
  const server = await openToAll();
  const account = await makeAccount(server, "Ana");
  const id = await server.create("Mine", [{ insert: "\n" }], account.token);
  const ana = await arrive("Ana");
  await signIn(ana, server, account);
  await ana.open(server.url, id);
  await ana.type("kept");
  await ana.hasSaved();
  const response = await server.call("GET", "/v1/auth/sessions", undefined, account.token);
  const { sessions } = (await response.json()) as { sessions: { id: string; current: boolean }[] };
  for (const { id: other } of sessions.filter(({ current }) => !current))
    await server.call("DELETE", `/v1/auth/sessions/${other}`, undefined, account.token);
  await ana.seesState(/^You are signed out/);
  await ana.sees("kept");
  await ana.page.locator(".state-action").click();
  await fillIn(ana.page, account.email);
  await ana.canWrite();
  await ana.sheet.focus();
  await ana.press("Control+End");
  await ana.type(" on");
  await ana.hasSaved();
  expect(await server.content(id, account.token)).toEqual([{ insert: "kept on\n" }]);
  await server.remove();
});

test("several windows share one sign-in, and none ends it for the others", async ({ arrive }) => {
  const server = await openToAll({ QUIRE_GUESTS: "off" });
  const account = await makeAccount(server, "Ana");
  const ana = await arrive("Ana");
  await signIn(ana, server, account);
  const windows = await Promise.all([1, 2, 3].map(() => ana.context.newPage()));
  for (let round = 0; round < 2; round++) await Promise.all(windows.map((page) => page.goto(server.url)));
  // Left in the middle of its question, too.
  await ana.page.goto(server.url, { waitUntil: "commit" });
  await ana.page.goto(server.url);
  for (const page of [ana.page, ...windows])
    await expect(page.getByRole("button", { name: "Ana: your account" })).toBeVisible();
  const [first, second] = windows;
  await first?.getByRole("button", { name: "Ana: your account" }).click();
  await first?.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(first ?? ana.page).toHaveURL(/\/sign-in/);
  await expect(second?.getByText("You were signed out.") ?? ana.page.locator("none")).toBeVisible();
  await server.remove();
});

test("a second factor is set up, asked for, and taken away", async ({ arrive }) => {
  const server = await openToAll();
  const account = await makeAccount(server, "Ana");
  const ana = await arrive("Ana");
  const { page } = ana;
  await signIn(ana, server, account);
  await page.goto(`${server.url}/account`);
  const section = page.getByRole("region", { name: "Second factor" });
  await section.getByLabel("Password").fill(PASSWORD);
  await section.getByRole("button", { name: "Set up a second factor" }).click();
  await expect(section.getByRole("img", { name: "Picture for your authenticator" })).toBeVisible();
  const secret = await section.locator(".secret").innerText();
  await section.getByLabel("Code").fill("000000");
  await section.getByRole("button", { name: "Confirm" }).click();
  await expect(section.getByRole("alert")).toContainText("The code is wrong");
  await section.getByLabel("Code").fill(codeOf(secret));
  await section.getByRole("button", { name: "Confirm" }).click();
  const listed = section.getByRole("list", { name: "Recovery codes" }).getByRole("listitem");
  await expect(listed).toHaveCount(10);
  const codes = await listed.allInnerTexts();
  await section.getByRole("button", { name: "I have kept them" }).click();
  await expect(section).toContainText("The second factor is on");

  const other = await arrive("Ana");
  await other.page.goto(`${server.url}/sign-in`);
  await fillIn(other.page, account.email);
  const code = other.page.getByLabel("Code");
  await expect(code).toBeFocused();
  await code.fill("000000");
  await other.press("Enter");
  await expect(other.page.getByRole("alert")).toContainText("This code is wrong");
  await code.fill(codes[0] ?? "");
  await other.press("Enter");
  await expect(other.page.getByRole("button", { name: "Ana: your account" })).toBeVisible();

  await section.getByText("Remove it").click();
  await section.getByLabel("Password").fill(PASSWORD);
  await section.getByLabel("Code").fill(codes[1] ?? "");
  await section.getByRole("button", { name: "Remove the second factor" }).click();
  await expect(section).toContainText("Signing in takes the password alone now.");
  await server.remove();
});

test("name, password, sign-ins, data: each is looked after on the account page", async ({ arrive }) => {
  const server = await openToAll();
  const account = await makeAccount(server, "Ana");
  const ana = await arrive("Ana");
  const { page } = ana;
  await page.goto(`${server.url}/account`);
  await fillIn(page, account.email);
  await expect(page.getByRole("heading", { name: "Account", exact: true })).toBeVisible();
  await expect(page.getByText(account.id)).toBeVisible();

  await page.getByLabel("Name").fill("Ana Silva");
  await page.getByRole("button", { name: "Save the name" }).click();
  await expect(page.getByRole("button", { name: "Ana Silva: your account" })).toBeVisible();

  // The one that made the account, and this one.
  const places = page.getByRole("region", { name: "Where you are signed in" });
  await expect(places.getByRole("listitem")).toHaveCount(2);
  await expect(places).toContainText("(this one)");
  await places.getByRole("button", { name: "Sign out" }).click();
  await expect(places.getByRole("listitem")).toHaveCount(1);

  await page.getByLabel("Password until now").fill("wrong horse");
  await page.getByLabel("New password").fill("another horse");
  await page.getByRole("button", { name: "Change the password" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "The password is wrong" })).toBeVisible();
  await page.getByLabel("Password until now").fill(PASSWORD);
  await page.getByRole("button", { name: "Change the password" }).click();
  await expect(page.getByText("The new password holds.")).toBeVisible();

  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export my data" }).click();
  expect((await download).suggestedFilename()).toBe("quire-my-data.json");
  const found = await new AxeBuilder({ page }).analyze();
  expect(found.violations).toEqual([]);
  await server.remove();
});

test("an account is deleted by whoever types its address, and not by a press", async ({ arrive }) => {
  const server = await openToAll();
  const account = await makeAccount(server, "Ana");
  const ana = await arrive("Ana");
  await signIn(ana, server, account);
  await ana.page.goto(`${server.url}/account`);
  const section = ana.page.getByRole("region", { name: "Delete the account" });
  await section.getByText("Go on").click();
  const typed = section.getByLabel(`Type ${account.email} to confirm`);
  await section.getByLabel("Password").fill("not this one");
  await typed.fill("ana");
  await section.getByRole("button", { name: "Delete my account" }).click();
  await expect(section.getByRole("alert")).toContainText("Nothing was deleted.");
  await typed.fill(account.email);
  await section.getByRole("button", { name: "Delete my account" }).click();
  await expect(section.getByRole("alert")).toContainText("The password is wrong.");
  await section.getByLabel("Password").fill(PASSWORD);
  await section.getByRole("button", { name: "Delete my account" }).click();
  await expect(ana.page).toHaveURL(`${server.url}/`);
  await ana.page.goto(`${server.url}/sign-in`);
  await fillIn(ana.page, account.email);
  await expect(ana.page.getByRole("alert")).toHaveText("The address or the password is wrong.");
  await server.remove();
});

test("an open server says so on its page", async ({ arrive }) => {
  const [open, closed] = [await Server.start(), await openToAll({ QUIRE_GUESTS: "off" })];
  const account = await makeAccount(closed, "Ana");
  const ana = await arrive("Ana");
  const hint = ana.page.getByText("This server is open: everyone who can reach this address can read and write.");
  await ana.openList(open.url);
  await expect(hint).toBeVisible();
  // Nobody could sign in there.
  await expect(ana.page.getByRole("button", { name: "Sign in" })).toHaveCount(0);
  await signIn(ana, closed, account);
  await expect(ana.page.getByRole("heading", { name: "Start the first document" })).toBeVisible();
  await expect(hint).toHaveCount(0);
  await open.remove();
  await closed.remove();
});

test("the way in can be walked by keyboard and is told to assistive programs", async ({ arrive }) => {
  const server = await openToAll();
  await makeAccount(server, "Ana");
  const ana = await arrive("Ana");
  await ana.page.goto(`${server.url}/sign-in`);
  await expect(ana.page.getByLabel("Email address")).toBeFocused();
  await ana.type("ana@example.org");
  await ana.press("Tab");
  await ana.type(PASSWORD);
  const found = await new AxeBuilder({ page: ana.page }).analyze();
  expect(found.violations).toEqual([]);
  await ana.press("Enter");
  await expect(ana.page.getByRole("button", { name: "Ana: your account" })).toBeVisible();
  await server.remove();
});
