/** Two and three people write into one document. */
import { allAgree, expect, test } from "./people";

test("two people type at the same time and see the same", async ({ server, arrive }) => {
  const id = await server.create("Two");
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await Promise.all([
    ana.goToStart().then(() => ana.type("The first line is Ana's.")),
    ben.goToStart().then(() => ben.type("And this one is written by Ben. ")),
  ]);
  const text = await allAgree(server, id, [ana, ben]);
  // Typed into one place at one time: whole characters of both, none lost, none twice.
  expect(letters(text)).toEqual(letters("The first line is Ana's.And this one is written by Ben. \n"));
  await Promise.all([ana.hasSaved(), ben.hasSaved()]);
});

function letters(text: string): string[] {
  return text.split("").sort();
}

test("three people write into lines of their own", async ({ server, arrive }) => {
  const id = await server.create("Three", [{ insert: "Ana: \nBen: \nChidi: \n" }]);
  const people = [await arrive("Ana"), await arrive("Ben"), await arrive("Chidi")];
  await Promise.all(people.map((person) => person.open(server.url, id)));
  await Promise.all(
    people.map(async (person, line) => {
      await person.goToStart();
      for (let down = 0; down < line; down++) await person.press("ArrowDown");
      await person.press("End");
      await person.type(`${person.name} was here.`);
    }),
  );
  const text = await allAgree(server, id, people);
  expect(text).toBe("Ana: Ana was here.\nBen: Ben was here.\nChidi: Chidi was here.\n");
});

test("formats arrive, and formats of two people on one text join", async ({ server, arrive }) => {
  const id = await server.create("Formats", [{ insert: "all of this text\n" }]);
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await ana.goToStart();
  await ana.select(6);
  await ben.goToStart();
  await ben.press("ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight");
  await ben.select(7);
  await Promise.all([ana.press("Control+b"), ben.press("Control+i")]);
  await allAgree(server, id, [ana, ben]);
  expect(await server.content(id)).toEqual([
    { insert: "all ", attributes: { bold: true } },
    { insert: "of", attributes: { bold: true, italic: true } },
    { insert: " this", attributes: { italic: true } },
    { insert: " text\n" },
  ]);
});

test("the toolbar formats what is selected and shows what holds", async ({ server, arrive }) => {
  const id = await server.create("Toolbar", [{ insert: "word and link\nitem\n" }]);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.goToStart();
  await ana.select(4);
  const bold = ana.page.getByRole("button", { name: "Bold" });
  await bold.click();
  await expect(bold).toHaveAttribute("aria-pressed", "true");
  await ana.press("ArrowRight");
  await ana.page.getByTitle("Kind of paragraph").click();
  await ana.page.getByRole("menuitemradio", { name: "Heading 2" }).click();
  await expect(ana.page.getByTitle("Kind of paragraph")).toHaveText("Heading 2");
  await ana.press("Control+Shift+ArrowRight");
  await ana.press("ArrowDown", "End");
  await ana.page.getByRole("button", { name: "Bulleted list" }).click();
  await allAgree(server, id, [ana]);
  expect(await server.content(id)).toEqual([
    { insert: "word", attributes: { bold: true } },
    { insert: " and link" },
    { insert: "\n", attributes: { header: 2 } },
    { insert: "item" },
    { insert: "\n", attributes: { list: "bullet" } },
  ]);
});

test("signs at the start of a line become formats", async ({ server, arrive }) => {
  const id = await server.create("Signs");
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.goToStart();
  await ana.type("## Heading\n- one\ntwo\n\n> said\n");
  await allAgree(server, id, [ana]);
  const attributes = (await server.content(id)).map((op) => op.attributes).filter(Boolean);
  expect(attributes).toEqual([{ header: 2 }, { list: "bullet" }, { list: "bullet" }, { blockquote: true }]);
});

test("a link is set, and removed", async ({ server, arrive }) => {
  const id = await server.create("Link", [{ insert: "see here\n" }]);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.goToStart();
  await ana.press("Control+Shift+ArrowRight");
  await ana.press("Control+Alt+k");
  await ana.type("example.org/page");
  await ana.press("Enter");
  await expect(ana.sheet.locator("a")).toHaveAttribute("href", "https://example.org/page");
  await expect(ana.sheet).toBeFocused();
  await allAgree(server, id, [ana]);
  const card = ana.page.getByRole("group", { name: "Link" });
  await ana.press("ArrowLeft");
  await expect(card.getByRole("link")).toHaveAttribute("href", "https://example.org/page");
  await card.getByRole("button", { name: "Change the link" }).click();
  await ana.press("Delete", "Enter");
  await expect(ana.sheet.locator("a")).toHaveCount(0);
  await allAgree(server, id, [ana]);
});

test("undo takes back only what one has written oneself", async ({ server, arrive }) => {
  const id = await server.create("Undo", [{ insert: "start\n" }]);
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await ana.goToStart();
  await ana.type("Ana ");
  await ben.sees("Ana start");
  await ben.goToEnd();
  await ben.type("Ben");
  await ana.sees("Ben");
  await ana.press("Control+z");
  await expect(ana.sheet).not.toContainText("Ana");
  expect(await allAgree(server, id, [ana, ben])).toBe("startBen\n");
  await ana.press("Control+Shift+z");
  await ben.sees("Ana start");
  expect(await allAgree(server, id, [ana, ben])).toBe("Ana startBen\n");
});

test("a page that is loaded again shows the same", async ({ server, arrive }) => {
  const id = await server.create("Reload");
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.goToStart();
  await ana.type("Still here after loading.");
  await ana.hasSaved();
  await allAgree(server, id, [ana]);
  await ana.page.reload();
  await ana.canWrite();
  await ana.sees("Still here after loading.");
  await ana.goToStart();
  await ana.type("And ");
  expect(await allAgree(server, id, [ana])).toBe("And Still here after loading.\n");
});

test("remote changes wait while an input method composes", async ({ server, arrive }) => {
  const id = await server.create("Composition", [{ insert: "日記\n" }]);
  const [aoi, ben] = [await arrive("Aoi"), await arrive("Ben")];
  const frames: string[] = [];
  aoi.page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => frames.push(payload.toString())));
  // Without a clock that goes by itself the composition cannot be taken for one that rests.
  await aoi.page.clock.install();
  await Promise.all([aoi.open(server.url, id), ben.open(server.url, id)]);
  const input = await aoi.context.newCDPSession(aoi.page);
  await aoi.goToStart();
  await aoi.hasSaved();
  await aoi.page.clock.pauseAt((await aoi.page.evaluate(() => Date.now())) + 5_000);
  await input.send("Input.imeSetComposition", { text: "かん", selectionStart: 2, selectionEnd: 2 });
  await aoi.sees("かん日記");
  await ben.goToStart();
  await ben.type("B");
  await ben.hasSaved();
  await expect.poll(() => frames.some((frame) => frame.includes('"insert":"B"'))).toBe(true);
  await expect(aoi.sheet).not.toContainText("B");
  await expect(aoi.state).toHaveAttribute("data-saved", "false");
  await aoi.page.clock.resume();
  await input.send("Input.insertText", { text: "漢" });
  await aoi.sees("B");
  const text = await allAgree(server, id, [aoi, ben]);
  expect(["漢B日記\n", "B漢日記\n"]).toContain(text);
});

for (const [place, keys, expected] of [
  ["elsewhere", ["Control+End"], "漢字日記\n二B\n"],
  ["in the same line", ["Control+Home", "End"], "漢字日記B\n二\n"],
] as const) {
  test(`what an input method has left open is saved after a pause, and goes on though others write ${place}`, async ({
    server,
    arrive,
  }) => {
    const id = await server.create("Left open", [{ insert: "日記\n二\n" }]);
    const [aoi, ben] = [await arrive("Aoi"), await arrive("Ben")];
    await Promise.all([aoi.open(server.url, id), ben.open(server.url, id)]);
    const input = await aoi.context.newCDPSession(aoi.page);
    await aoi.goToStart();
    await input.send("Input.imeSetComposition", { text: "かん", selectionStart: 2, selectionEnd: 2 });
    await aoi.sees("かん日記");
    await aoi.hasSaved();
    await ben.sees("かん日記");
    await ben.sheet.focus();
    await ben.press(...keys);
    await ben.type("B");
    await aoi.sees("B");
    await input.send("Input.imeSetComposition", { text: "かんじ", selectionStart: 3, selectionEnd: 3 });
    await input.send("Input.insertText", { text: "漢字" });
    expect(await allAgree(server, id, [aoi, ben])).toBe(expected);
  });
}

test("pasted text keeps its structure and not its colours", async ({ server, arrive }) => {
  const id = await server.create("Paste");
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await ana.goToStart();
  await ana.sheet.evaluate((sheet) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData(
      "text/html",
      '<p><b>Bold</b> and <span style="color: black; background: white; font-size: 40px">black</span></p>',
    );
    sheet.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  });
  await ana.sees("Bold and black");
  await allAgree(server, id, [ana]);
  expect(await server.content(id)).toEqual([
    { insert: "Bold", attributes: { bold: true } },
    { insert: " and black\n" },
  ]);
});

test("what this page cannot draw stays in its place", async ({ server, arrive }) => {
  const id = await server.create("Unknown", [
    { insert: "before " },
    { insert: { hologram: { depth: 3 } } },
    { insert: " after\n" },
  ]);
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  await expect(ana.sheet.getByTitle("This page cannot show “hologram”")).toBeVisible();
  await ana.goToEnd();
  await ana.type(", edited");
  await ana.hasSaved();
  await expect
    .poll(() => server.content(id))
    .toEqual([{ insert: "before " }, { insert: { hologram: { depth: 3 } } }, { insert: " after, edited\n" }]);
});
