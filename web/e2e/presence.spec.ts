/** Others are seen: who they are, where they are, what they do. */
import type { Page } from "@playwright/test";
import { allAgree, expect, test } from "./people";
import { Wire } from "./proxy";

test("carets carry names, and selections are painted", async ({ server, arrive }) => {
  const id = await server.create("Carets", [{ insert: "some words to select\n" }]);
  const [ana, ben] = [await arrive("Ana Silva"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await ana.goToStart();
  const caret = ben.page.locator(".caret", { hasText: "Ana Silva" });
  await expect(caret).toBeVisible();
  // From the start, where it was before, to the next character: the name comes up with a move, and goes soon after.
  const named = () => [...document.querySelectorAll(".caret-flag")].some((flag) => getComputedStyle(flag).opacity === "1");
  await Promise.all([ben.glimpses(named), ana.press("ArrowRight")]);
  await ana.goToStart();
  await ana.select(4);
  await expect.poll(() => selectedBy(ben.page)).toEqual(["some"]);
  await ana.press("ArrowRight");
  await expect.poll(() => selectedBy(ben.page)).toEqual([]);
  // The name goes when the caret rests.
  await expect(caret.locator(".caret-flag")).toHaveCSS("opacity", "0");
});

/** The texts that are painted as somebody's selection. */
function selectedBy(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...CSS.highlights]
      .filter(([name]) => name.startsWith("person-"))
      .flatMap(([, highlight]) => [...highlight])
      .map((stretch) => {
        const range = document.createRange();
        range.setStart(stretch.startContainer, stretch.startOffset);
        range.setEnd(stretch.endContainer, stretch.endOffset);
        return range.toString();
      }),
  );
}

test("a caret keeps its place in the text when somebody writes before it", async ({ server, arrive }) => {
  const id = await server.create("Moving", [{ insert: "0123456789\n" }]);
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await ana.goToStart();
  for (let step = 0; step < 5; step++) await ana.press("ArrowRight");
  const caret = ben.page.locator(".caret");
  await expect(caret).toHaveCount(1);
  const place = async () => (await caret.boundingBox())?.x ?? 0;
  const digit = () =>
    ben.sheet.evaluate((sheet) => {
      const text = document.createTreeWalker(sheet, NodeFilter.SHOW_TEXT).nextNode();
      const at = text?.textContent?.indexOf("5") ?? 0;
      const range = document.createRange();
      if (text) {
        range.setStart(text, at);
        range.setEnd(text, at + 1);
      }
      return range.getBoundingClientRect().x;
    });
  await expect.poll(async () => Math.abs((await place()) - (await digit()))).toBeLessThan(2);
  await ben.goToStart();
  await ben.type("before ");
  await ana.sees("before");
  await expect.poll(async () => Math.abs((await place()) - (await digit()))).toBeLessThan(2);
});

test("who types is said, and stops being said", async ({ server, arrive }) => {
  const id = await server.create("Typing");
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await ana.goToStart();
  const said = () => document.querySelector(".typing")?.textContent === "Ana is typing…";
  await Promise.all([ben.glimpses(said), ana.type("a")]);
  await expect(ben.page.locator(".typing")).toHaveText("");
});

test("nobody is said to type while there is no connection", async ({ server, arrive }) => {
  const id = await server.create("Cut while typing");
  const wire = await Wire.to(server.url);
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(wire.url, id)]);
  await ana.goToStart();
  const said = () => document.querySelector(".typing")?.textContent === "Ana is typing…";
  await Promise.all([ben.glimpses(said), ana.type("a")]);
  // That she has stopped does not reach him.
  wire.cut();
  await ben.seesState(/^Reconnecting/);
  await expect(ben.page.locator(".typing")).toHaveText("");
  await wire.close();
});

test("people come and go at the top right", async ({ server, arrive }) => {
  const id = await server.create("People");
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  const people = ana.page.getByRole("group", { name: "Who is here" });
  await expect(people.getByRole("button", { name: "Ana (you)" })).toBeVisible();
  await expect(people.getByRole("button", { name: /^Ben/ })).toBeVisible();
  await ben.page.close();
  await expect(people.getByRole("button", { name: /^Ben/ })).toHaveCount(0);
});

test("a face keeps the focus while people come, go and type", async ({ server, arrive }) => {
  const id = await server.create("Faces");
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  const people = ana.page.getByRole("group", { name: "Who is here" });
  const face = people.getByRole("button", { name: /^Ben/ });
  await face.focus();
  await ben.goToStart();
  const typing = () => document.activeElement?.getAttribute("aria-label")?.startsWith("Ben, typing") === true;
  await Promise.all([ana.glimpses(typing), ben.type("a")]);
  const chidi = await arrive("Chidi");
  await chidi.open(server.url, id);
  await expect(people.getByRole("button", { name: /^Chidi/ })).toBeVisible();
  await expect(face).toBeFocused();
  await ben.page.close();
  await expect(face).toHaveCount(0);
  await expect(people.locator(":focus")).toHaveCount(1);
});

test("everybody sees the same colour of a person, and no two are the same", async ({ server, arrive }) => {
  const id = await server.create("Colours");
  const names = ["Ana", "Ben", "Chidi", "Dunja", "Eiko"];
  const all = await Promise.all(names.map((name) => arrive(name)));
  for (const person of all) await person.open(server.url, id);
  const seen = (person: (typeof all)[number]) =>
    person.page.locator(".people .person").evaluateAll((faces) =>
      Object.fromEntries(
        faces.map((face) => [
          face.getAttribute("aria-label")?.split(/[ ,]/)[0] ?? "",
          getComputedStyle(face.querySelector(".badge") ?? face).backgroundColor,
        ]),
      ),
    );
  await expect(async () => {
    const [first, ...others] = await Promise.all(all.map(seen));
    expect(Object.keys(first ?? {}).sort()).toEqual(names);
    expect(new Set(Object.values(first ?? {})).size).toBe(names.length);
    for (const other of others) expect(other).toEqual(first);
  }).toPass();
});

test("more than five people are five and a number", async ({ server, arrive }) => {
  const id = await server.create("Crowd");
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  for (const name of ["Ben", "Chidi", "Dunja", "Eiko", "Femi", "Gus"]) {
    const page = await ana.context.newPage();
    await page.goto(`${server.url}/d/${id}?${name}`);
  }
  const people = ana.page.getByRole("group", { name: "Who is here" });
  await expect(people.getByRole("button")).toHaveCount(6);
  await expect(people.getByRole("button").last()).toHaveText("+2");
});

test("a new name is seen by the others", async ({ server, arrive }) => {
  const id = await server.create("Names");
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  await Promise.all([ana.open(server.url, id), ben.open(server.url, id)]);
  await ana.page.getByRole("button", { name: "Ana (you)" }).click();
  await ana.page.getByRole("textbox", { name: "Your name" }).fill("Anastasia");
  await ana.press("Enter");
  await expect(ben.page.getByRole("button", { name: /^Anastasia/ })).toBeVisible();
  await expect(ana.page.getByRole("button", { name: "Anastasia (you)" })).toBeVisible();
  await ana.page.reload();
  await expect(ana.page.getByRole("button", { name: "Anastasia (you)" })).toBeVisible();
});

test("a duplicated tab is somebody of its own", async ({ server, arrive }) => {
  const id = await server.create("Twice");
  const ana = await arrive("Ana");
  await ana.open(server.url, id);
  const [second] = await Promise.all([
    ana.context.waitForEvent("page"),
    ana.page.evaluate(() => void window.open(location.href)),
  ]);
  await expect(ana.page.getByRole("group", { name: "Who is here" }).getByRole("button")).toHaveCount(2);
  await second.locator(".ql-editor").focus();
  await second.keyboard.type("from the second");
  await ana.sees("from the second");
  await ana.goToStart();
  await ana.type("from the first, ");
  expect(await allAgree(server, id, [ana])).toBe("from the first, from the second\n");
});
