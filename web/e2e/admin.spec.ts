/** Whoever looks after the server sees what runs, and acts on it. */
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "./people";
import { Database, Server, freePort } from "./server";

const SECRET = "a-secret-of-thirty-two-bytes-long";

function token(claims: object): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const exp = Math.floor(Date.now() / 1_000) + 3_600;
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ exp, ...claims })}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

async function enter(page: Page, url: string, given: string): Promise<void> {
  await page.goto(`${url}/admin`);
  await page.getByLabel("Token of an administrator").fill(given);
  await page.getByRole("button", { name: "Enter" }).click();
}

test("documents and sessions are shown live, and acted on", async ({ arrive }) => {
  test.slow();
  const server = await Server.start({ QUIRE_JWT_SECRET: SECRET });
  const id = await server.create("Minutes", [{ insert: "The first line\n" }]);
  const root = await arrive("Root");
  await enter(root.page, server.url, token({ sub: "root", admin: true }));
  const docs = root.page.getByRole("region", { name: "Documents in memory" });
  const sessions = root.page.getByRole("region", { name: "Sessions" });
  await expect(sessions).toContainText("Nobody is connected.");

  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.goToEnd();
  await ana.type("x");
  await ana.hasSaved();
  const row = docs.getByRole("row").filter({ hasText: id });
  await expect(row.getByRole("cell").nth(2)).toHaveText("2");
  await expect(sessions.getByRole("row").filter({ hasText: "Ana" })).toBeVisible();
  await expect(root.page.locator(".chart canvas")).toHaveCount(4);

  // A slow click: the server is looked at meanwhile, and what is shown changes around the button.
  await row.getByRole("button", { name: "Verify" }).hover();
  await root.page.mouse.down();
  const idle = row.getByRole("cell", { name: /^\d+ s$/ });
  const before = await idle.innerText();
  await expect(idle).not.toHaveText(before);
  await root.page.mouse.up();
  // When a document has its first snapshot depends on its id.
  const verified = new RegExp(`^${id}: 2 versions and \\d snapshots are as the log says\\.$`);
  await expect(root.page.getByText(verified)).toBeVisible();
  await row.getByRole("button", { name: "Passivate" }).click();
  await root.page.getByRole("dialog").getByRole("button", { name: "Passivate" }).click();
  await expect(root.page.getByRole("dialog")).toHaveCount(0);
  // Whoever writes notices a pause at most.
  await ana.canWrite();
  await ana.goToEnd();
  await ana.type("y");
  await ana.hasSaved();
  await expect(row.getByRole("cell").nth(2)).toHaveText("3");

  await sessions.getByRole("button", { name: "Disconnect" }).click();
  await root.page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
  await ana.canWrite();
  await ana.goToEnd();
  await ana.type("z");
  await ana.hasSaved();

  const bans = root.page.getByRole("region", { name: "Bans" });
  await expect(bans).toContainText("Nobody is banned.");
  await root.page.getByLabel("User or network").fill("127.0.0.1");
  await root.page.getByRole("button", { name: "Ban", exact: true }).click();
  await expect(root.page.getByRole("alert")).toContainText("yourself");
  await root.page.getByLabel("User or network").fill("192.0.2.0/24");
  await root.page.getByLabel("Reason").fill("<b>spam</b>");
  await root.page.getByRole("button", { name: "Ban", exact: true }).click();
  await expect(bans.getByRole("row").filter({ hasText: "192.0.2.0/24" })).toContainText("<b>spam</b>");
  const found = await new AxeBuilder({ page: root.page }).analyze();
  expect(found.violations).toEqual([]);
  await bans.getByRole("button", { name: "Lift" }).click();
  await expect(bans).toContainText("Nobody is banned.");
  await server.remove();
});

test("several servers are shown as one, with what each has", async ({ arrive }) => {
  test.slow();
  const database = new Database();
  const start = async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const { url, objects } = database;
    const shared = { QUIRE_DATABASE_URL: url, QUIRE_OBJECT_STORE_URL: `file://${objects}` };
    return Server.start({ ...shared, QUIRE_JWT_SECRET: SECRET, QUIRE_NODE_URL: `http://${address}` }, address);
  };
  const [one, other] = [await start(), await start()];
  const root = await arrive("Root");
  await enter(root.page, one.url, token({ sub: "root", admin: true }));
  const list = root.page.getByRole("region", { name: "Servers" });
  await expect(list.getByRole("row").filter({ hasText: "serving" })).toHaveCount(2, { timeout: 30_000 });
  const row = list.getByRole("row").filter({ hasText: other.url });
  await expect(row.getByRole("cell").nth(3)).not.toHaveText("0", { timeout: 30_000 });

  // Made where it is asked for, and shown by the one that does not have it.
  const id = await other.create("Elsewhere");
  const ana = await arrive("Ana");
  await ana.open(other.url, id);
  await ana.goToEnd();
  await ana.type("x");
  await ana.hasSaved();
  // Each server numbers its sessions for itself: the first of one is not the first of the other.
  const here = await one.create("Here");
  const ben = await arrive("Ben");
  await ben.open(one.url, here);
  await expect(root.page.getByRole("region", { name: "Sessions" }).getByRole("row").filter({ hasText: here })).toBeVisible();
  const name = await row.getByRole("cell").first().innerText();
  for (const region of ["Documents in memory", "Sessions"])
    await expect(root.page.getByRole("region", { name: region }).getByRole("row").filter({ hasText: id })).toContainText(name);

  await other.remove();
  await expect(list.getByRole("row").filter({ hasText: "silent for" })).toHaveCount(1, { timeout: 30_000 });
  await one.remove();
  database.remove();
});

test("what a webhook was not told is shown, and sent again after a question", async ({ arrive }) => {
  test.slow();
  let answer = 503;
  const receiver = createServer((_, response) => response.writeHead(answer).end());
  await new Promise<void>((listening) => receiver.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  const server = await Server.start({
    QUIRE_JWT_SECRET: SECRET,
    QUIRE_WEBHOOK_TARGETS: "any",
    QUIRE_WEBHOOK_RETRY_MS: "1",
  });
  const given = token({ sub: "root", admin: true });
  const made = await fetch(`${server.url}/v1/webhooks`, {
    method: "POST",
    headers: { authorization: `Bearer ${given}`, "content-type": "application/json" },
    body: JSON.stringify({ url, scope: "server", types: ["document.created"] }),
  });
  expect(made.status).toBe(201);
  const id = await server.create("Minutes", [{ insert: "The first line\n" }]);

  const { page } = await arrive("Root");
  await enter(page, server.url, given);
  const hook = page.getByRole("region", { name: "Webhooks" }).getByRole("row").filter({ hasText: url });
  await hook.getByRole("button", { name: "Show what was given up" }).click();
  const dead = page.getByRole("region", { name: "Deliveries that were given up" });
  const delivery = dead.getByRole("row").filter({ hasText: id });
  await expect(delivery).toContainText("answered 503", { timeout: 30_000 });
  await expect(hook).toContainText("failing since just now");
  const found = await new AxeBuilder({ page }).analyze();
  expect(found.violations).toEqual([]);

  answer = 204;
  await delivery.getByRole("button", { name: "Send again" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await expect(delivery).toBeVisible();
  await delivery.getByRole("button", { name: "Send again" }).click();
  await expect(page.getByRole("dialog")).toContainText(`document.created of ${id}`);
  await page.getByRole("dialog").getByRole("button", { name: "Send again" }).click();
  await expect(dead).toContainText("Nothing was given up.");
  await expect(hook).toContainText("enabled");
  await hook.getByRole("button", { name: "Hide what was given up" }).click();
  await expect(dead).toBeHidden();
  receiver.close();
  await server.remove();
});

test("a token that is not an administrator's opens nothing", async ({ arrive }) => {
  const server = await Server.start({ QUIRE_JWT_SECRET: SECRET });
  const ana = await arrive("Ana");
  await enter(ana.page, server.url, token({ sub: "ana" }));
  await expect(ana.page.getByRole("alert")).toHaveText("This token is not one of an administrator.");
  await enter(ana.page, server.url, "rubbish");
  await expect(ana.page.getByRole("alert")).toHaveText("This token is not valid, or not any more.");
  await expect(ana.page.getByRole("table")).toHaveCount(0);
  expect(await ana.page.evaluate(() => sessionStorage.length)).toBe(0);
  await server.remove();
});

test("the server is drained after a question, and the page says that it is gone", async ({ arrive }) => {
  const server = await Server.start({ QUIRE_JWT_SECRET: SECRET });
  const root = await arrive("Root");
  await enter(root.page, server.url, token({ sub: "root", admin: true }));
  await root.page.getByRole("button", { name: "Drain this server" }).click();
  await root.page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await expect(root.page.getByRole("heading", { name: "Documents in memory" })).toBeVisible();
  await root.page.getByRole("button", { name: "Drain this server" }).click();
  await root.page.getByRole("dialog").getByRole("button", { name: "Drain", exact: true }).click();
  await expect(root.page.getByRole("status").first()).toHaveText("The server does not answer. Trying again.");
  await server.remove();
});
