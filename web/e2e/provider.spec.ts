/** Signing in with an account elsewhere, and what one does with an account that has no password here. */
import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "./people";
import { Provider, withProvider } from "./provider";

test.describe.configure({ timeout: 120_000 });

test("somebody comes by a provider to the document that was asked for, and writes under the name from there", async ({ arrive }) => {
  const [server, provider] = await withProvider({ QUIRE_GUESTS: "off", QUIRE_LINK_ROLE: "editor" });
  const ana = await arrive("Ana");
  const { page } = ana;
  await page.goto(`${server.url}/d/minutes`);
  await expect(page).toHaveURL(/\/sign-in\?to=/);
  await page.getByRole("link", { name: "Sign in with Example" }).click();
  await Provider.signIn(page, "ana");
  await expect(page).toHaveURL(`${server.url}/d/minutes`);
  await page.goto(server.url);
  await expect(page.getByRole("button", { name: "Ana: your account" })).toBeVisible();
  await page.getByRole("button", { name: "New document" }).first().click();
  await ana.canWrite();
  await ana.type("from elsewhere");
  await ana.hasSaved();
  // The sign-in outlasts the page, and no token is where scripts could find it.
  await page.reload();
  await ana.canWrite();
  await expect(page.getByRole("button", { name: "Ana (you): your account" })).toBeVisible();
  const kept = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie, location.href]));
  expect(kept).not.toMatch(/eyJ|qr_|code=/);
  await server.remove();
  provider.stop();
});

test("who turns back at the provider is told, and is nobody", async ({ arrive }) => {
  const [server, provider] = await withProvider({ QUIRE_GUESTS: "off" });
  const { page } = await arrive("Ana");
  await page.goto(server.url);
  await page.getByRole("link", { name: "Sign in with Example" }).click();
  await page.getByRole("link", { name: "Cancel" }).click();
  await expect(page).toHaveURL(new RegExp(`^${server.url}/`));
  await expect(page.getByText("Not signed in").first()).toBeVisible();
  await server.remove();
  provider.stop();
});

test("an account without a password is deleted by who has just signed in again", async ({ arrive }) => {
  const [server, provider] = await withProvider({ QUIRE_GUESTS: "off" });
  const { page } = await arrive("Ana");
  await page.goto(`${server.url}/account`);
  await page.getByRole("link", { name: "Sign in with Example" }).click();
  await Provider.signIn(page, "ana");
  await expect(page).toHaveURL(`${server.url}/account`);
  // What takes a password is not there.
  await expect(page.getByRole("heading", { name: "Account", exact: true })).toBeVisible();
  for (const name of ["Password", "Second factor"]) await expect(page.getByRole("region", { name })).toHaveCount(0);

  const section = page.getByRole("region", { name: "Delete the account" });
  await section.getByText("Go on").click();
  await expect(section).toContainText(
    "You have no password here. Sign in again with your provider, then delete the account within ten minutes.",
  );
  await expect(section.getByLabel("Password")).toHaveCount(0);
  const found = await new AxeBuilder({ page }).analyze();
  expect(found.violations).toEqual([]);

  // As the server answers when the sign-in is older than that, which would take a test ten minutes.
  const stale = { status: 403, contentType: "application/problem+json", body: JSON.stringify({ code: "forbidden", status: 403 }) };
  await page.route(/\/erase\?/, (route) => route.fulfill(stale));
  await section.getByLabel("Type ana@example.org to confirm").fill("ana@example.org");
  await section.getByRole("button", { name: "Delete my account" }).click();
  await expect(section.getByRole("alert")).toHaveText(
    "You have not signed in within the last ten minutes. Your account is as it was.",
  );
  await page.unroute(/\/erase\?/);

  await section.getByRole("button", { name: "Sign in again" }).click();
  await expect(page).toHaveURL(/\/sign-in\?to=/);
  await page.getByRole("link", { name: "Sign in with Example" }).click();
  // The provider remembers, and asks for nothing.
  await expect(page).toHaveURL(`${server.url}/account`);
  await section.getByText("Go on").click();
  await section.getByLabel("Type ana@example.org to confirm").fill("ana@example.org");
  await section.getByRole("button", { name: "Delete my account" }).click();
  await expect(page).toHaveURL(/\/sign-in/);
  // Whoever comes again is somebody new.
  await page.getByRole("link", { name: "Sign in with Example" }).click();
  await expect(page.getByRole("heading", { name: "Start the first document" })).toBeVisible();
  await server.remove();
  provider.stop();
});
