/** Pictures of signing in, the account and sharing, in three widths and two themes, to be looked at: test-results/screens. */
import { makeAccount, openToAll, signIn, PASSWORD } from "./accounts";
import { look } from "./look";
import { expect, test } from "./people";

const SIZES = [
  { viewport: { width: 1440, height: 900 } },
  { viewport: { width: 1024, height: 768 } },
  { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
];

// Pictures are taken, not waited for: a slow machine may take its time.
test.describe.configure({ timeout: 300_000 });

for (const size of SIZES) {
  test(`people's pages can be looked at, ${size.viewport.width} px`, async ({ arrive }) => {
    const server = await openToAll();
    const [anas, bens, chidis] = [
      await makeAccount(server, "Ana"),
      await makeAccount(server, "Ben"),
      await makeAccount(server, "Chidi"),
    ];
    const id = await server.create("Garden plan", [{ insert: "The beds along the wall\n" }], anas.token);
    await server.call("PUT", `/v1/docs/${id}/permissions/${bens.id}`, { role: "commenter" }, anas.token);
    const end = Date.now() + 3 * 86_400_000;
    await server.call("POST", `/v1/docs/${id}/links`, { role: "viewer", expires_at: end }, anas.token);
    const [ana, ben, chidi] = [await arrive("Ana", size), await arrive("Ben", size), await arrive("Chidi")];
    const { page } = ana;

    await page.goto(`${server.url}/sign-in`);
    await expect(page.getByLabel("Email address")).toBeVisible();
    await look(page, "sign-in");
    await page.getByRole("button", { name: "Make an account" }).click();
    await look(page, "register");
    await ana.openList(server.url);
    await expect(page.getByText("This server is open")).toBeVisible();
    await look(page, "list-guest");
    await signIn(ana, server, anas);
    await expect(page.getByRole("listitem").first()).toBeVisible();
    await look(page, "list-signed-in");
    await page.goto(`${server.url}/account`);
    await expect(page.getByText("(this one)")).toBeVisible();
    await look(page, "account");
    const factor = page.getByRole("region", { name: "Second factor" });
    await factor.getByLabel("Password").fill(PASSWORD);
    await factor.getByRole("button", { name: "Set up a second factor" }).click();
    await expect(factor.getByRole("img")).toBeVisible();
    await factor.getByRole("img").scrollIntoViewIfNeeded();
    await look(page, "second-factor");

    await signIn(chidi, server, chidis);
    await chidi.open(server.url, id);
    await ana.open(server.url, id);
    await look(page, "editor-signed-in");
    await page.getByRole("button", { name: "Share", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "Share" });
    await dialog.getByRole("button", { name: "Create a link" }).click();
    await expect(dialog.getByLabel("The new link")).toBeVisible();
    await look(page, "share-link");
    await dialog.getByRole("heading", { name: "People with access" }).scrollIntoViewIfNeeded();
    await look(page, "share");

    // Somebody who may comment sees no tools, and who has access.
    await signIn(ben, server, bens);
    await ben.page.goto(`${server.url}/d/${id}`);
    await ben.seesState("View only");
    await look(ben.page, "viewer");
    await ben.page.getByRole("button", { name: "Share", exact: true }).click();
    await expect(ben.page.getByRole("heading", { name: "Here now" })).toBeVisible();
    await look(ben.page, "share-seen");
    await server.call("DELETE", `/v1/docs/${id}/permissions/${bens.id}`, undefined, anas.token);
    await server.call("PUT", `/v1/docs/${id}/link`, { role: "none" }, anas.token);
    await ben.seesState("Someone removed your access");
    await ben.press("Escape");
    await look(ben.page, "removed");
    await ben.page.reload();
    await expect(ben.page.getByRole("heading", { name: "You have no access to this document" })).toBeVisible();
    await look(ben.page, "no-access");
    await server.remove();
  });
}
