/** The network and the server fail, and nothing that was written is lost. */
import { allAgree, expect, test } from "./people";
import { Wire } from "./proxy";
import { Server } from "./server";

test("both sides go on writing while one is cut off, and are merged", async ({ server, arrive }) => {
  const id = await server.create("Cut", [{ insert: "middle\n" }]);
  const wire = await Wire.to(server.url);
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(wire.url, id), ben.open(server.url, id)]);
  wire.cut();
  await ana.seesState(/^Reconnecting/);
  await ana.goToStart();
  await ana.type("Written without a connection, ");
  await ben.goToEnd();
  await ben.type("written with one");
  await ben.hasSaved();
  wire.mend();
  await ana.retryNow();
  await ana.seesState(/^Merged \d+ offline changes?$/);
  expect(await allAgree(server, id, [ana, ben])).toBe("Written without a connection, middlewritten with one\n");
  await ana.page.getByRole("button", { name: "Show" }).click();
  await expect.poll(() => ana.page.evaluate(() => CSS.highlights.has("merged"))).toBe(true);
  await wire.close();
});

test("a device without network keeps what is typed and says so", async ({ server, arrive }) => {
  const id = await server.create("Offline");
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await ana.context.setOffline(true);
  await ana.seesState("Offline. Your changes are kept on this device.");
  await ana.goToStart();
  await ana.type("In a tunnel. ");
  await ben.goToStart();
  await ben.type("In the open. ");
  await ben.hasSaved();
  await ana.context.setOffline(false);
  await ben.sees("In a tunnel.");
  await allAgree(server, id, [ana, ben]);
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`the server ends by ${signal} and starts again under the pages`, async ({ arrive }) => {
    const server = await Server.start();
    const id = await server.create("Restart");
    const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
    await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
    await ana.goToStart();
    await ana.type("Before. ");
    await ben.sees("Before.");
    await server.stop(signal);
    await ana.seesState(/^Reconnecting/);
    await ana.type("Meanwhile. ");
    await server.launchAgain();
    await ben.sees("Meanwhile.");
    await ben.goToStart();
    await ben.type("After. ");
    expect(await allAgree(server, id, [ana, ben])).toBe("After. Before. Meanwhile. \n");
    await server.remove();
  });
}

test("who opens a document that was opened too often is told when it goes on, and then it does", async ({ arrive }) => {
  test.slow();
  // One more every 15 s, by all guests of this machine; pages ask for more files at once than people do.
  const limits = { QUIRE_OPENS_PER_MINUTE: "4", QUIRE_REQUESTS_PER_SECOND: "1000" };
  const server = await Server.start({ QUIRE_RATE_LIMITS: "on", ...limits });
  const id = await server.create("Sought after", [{ insert: "here at last\n" }]);
  const ana = await arrive("Ana");
  for (let opening = 0; opening < 4; opening++) expect(await server.handshake(id)).toBe(101);
  await ana.page.goto(`${server.url}/d/${id}`);
  await ana.seesState(/^Opened too often\. Trying again in \d+ s$/);
  await expect(ana.sheet).toHaveAttribute("contenteditable", "true", { timeout: 30_000 });
  await ana.sees("here at last");
  await ana.seesState("All changes saved");
  await server.remove();
});

test("leaving with unsaved edits asks first", async ({ server, arrive }) => {
  const id = await server.create("Leaving");
  const wire = await Wire.to(server.url);
  const ana = await arrive("Ana");
  await ana.open(wire.url, id);
  wire.cut();
  await ana.seesState(/^Reconnecting/);
  await ana.goToStart();
  await ana.type("Do not lose this");
  const asked = ana.page.waitForEvent("dialog");
  const leaving = ana.page.close({ runBeforeUnload: true });
  const question = await asked;
  expect(question.type()).toBe("beforeunload");
  await question.dismiss();
  await leaving;
  await ana.sees("Do not lose this");
  wire.mend();
  await expect
    .poll(async () => JSON.stringify(await server.content(id)), { timeout: 20_000 })
    .toContain("Do not lose this");
  await wire.close();
});

test("a new title that cannot be sent is kept, and sent when there is a connection", async ({ server, arrive }) => {
  const id = await server.create("Working title");
  const wire = await Wire.to(server.url);
  const ana = await arrive("Ana");
  await ana.open(wire.url, id);
  wire.cut();
  await ana.seesState(/^Reconnecting/);
  await ana.press("F2");
  await ana.type("Better title");
  await ana.press("Enter");
  await expect(ana.state).toHaveAttribute("data-saved", "false");
  const asked = ana.page.waitForEvent("dialog");
  const leaving = ana.page.close({ runBeforeUnload: true });
  const question = await asked;
  expect(question.type()).toBe("beforeunload");
  await question.dismiss();
  await leaving;
  wire.mend();
  await ana.retryNow();
  await ana.hasSaved();
  expect(await server.title(id)).toBe("Better title");
  await wire.close();
});

test("a new title goes along with a page that is left at once", async ({ server, arrive }) => {
  const id = await server.create("Working title");
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  ana.page.on("dialog", (question) => void question.accept());
  await ana.press("F2");
  await ana.type("Last word");
  await ana.page.goto(server.url);
  await expect.poll(() => server.title(id)).toBe("Last word");
});

test("what the server does not take is shown, to be copied", async ({ server, arrive }) => {
  const id = await server.create("Archived", [{ insert: "kept\n" }]);
  const wire = await Wire.to(server.url);
  const ana = await arrive("Ana", { permissions: ["clipboard-read", "clipboard-write"] });
  await ana.open(wire.url, id);
  wire.cut();
  await ana.seesState(/^Reconnecting/);
  await ana.goToStart();
  await ana.type("too late ");
  await server.archive(id);
  wire.mend();
  await ana.retryNow();
  const lost = ana.page.getByRole("alert", { name: "Changes that were not kept" });
  await expect(lost).toContainText("too late");
  await expect(ana.state).not.toContainText("Merged");
  await expect(ana.sheet).toHaveText("kept");
  await lost.getByRole("button", { name: "Copy the text" }).click();
  await expect.poll(() => ana.page.evaluate(() => navigator.clipboard.readText())).toBe("too late ");
  await lost.getByRole("button", { name: "Put away" }).click();
  await expect(lost).toBeHidden();
  await wire.close();
});

test("a document that is deleted meanwhile says so, and can be restored", async ({ server, arrive }) => {
  const id = await server.create("Deleted", [{ insert: "kept\n" }]);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await server.trash(id);
  await ana.seesState("This document was deleted");
  await expect(ana.sheet).toHaveAttribute("contenteditable", "false");
  await ana.page.getByRole("button", { name: "Restore" }).click();
  await ana.canWrite();
  await ana.sees("kept");
});

test("an address without a document leads back to the list", async ({ server, arrive }) => {
  const ana = await arrive("Ana");
  await ana.page.goto(`${server.url}/d/not-there`);
  await expect(ana.page.getByRole("heading", { name: "There is no document here" })).toBeVisible();
  await ana.page.getByRole("button", { name: "All documents" }).click();
  await expect(ana.page).toHaveURL(`${server.url}/`);
});
