/** How quick the pages are, in figures beside their goals: `npm run measure`. Nothing fails here; docs/pages.md keeps them. */
import type { Page } from "@playwright/test";
import { expect, test, type Person } from "../e2e/people";
import type { Server } from "../e2e/server";
import { FIRST_LOAD, PAGES, weigh } from "../e2e/weight";
import { traced } from "./trace";

/** Of what varies, the median of so many is given. */
const TIMES = 5;
/** A frame at 60 a second, in ms. */
const FRAME = 1000 / 60;
const KEYS = 100;
const CARETS = 30;
const MOVES = 50;
/** 50 characters. */
const LINE = "All of them went down to the river, and came back\n";

const rows: [what: string, figure: string, goal: string][] = [];

test.afterAll(() => {
  const width = Math.max(...rows.map(([what]) => what.length));
  for (const [what, figure, goal] of rows) console.log(`${what.padEnd(width)}  ${figure.padStart(10)}   ${goal}`);
});

/** Has the page note when its document could be written in, in ms since the address was opened, and been painted. */
async function noteWritable(person: Person): Promise<() => Promise<number>> {
  await person.page.addInitScript(() => {
    const sheet = () => document.querySelector('.ql-editor[contenteditable="true"]');
    const observer = new MutationObserver(() => {
      if (!sheet()) return;
      observer.disconnect();
      requestAnimationFrame(() =>
        setTimeout(() => document.documentElement.setAttribute("data-writable", String(performance.now()))),
      );
    });
    observer.observe(document, { subtree: true, childList: true, attributes: true });
  });
  const html = person.page.locator("html");
  return async () => {
    await expect(html).toHaveAttribute("data-writable", /./, { timeout: 60_000 });
    return Number(await html.getAttribute("data-writable"));
  };
}

/** Opens the document in a fresh browser profile each time, and gives the median, in ms. */
async function opening(
  arrive: (name: string) => Promise<Person>,
  address: string,
  prepare: (page: Page) => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const times: number[] = [];
  for (let time = 0; time < TIMES; time++) {
    const person = await arrive("Ana");
    await prepare(person.page);
    const writable = await noteWritable(person);
    await person.page.goto(address);
    times.push(await writable());
    await person.context.close();
  }
  return median(times);
}

/** 1 MB in 20,000 lines. */
function longDocument(server: Server): Promise<string> {
  return server.create("Long", [{ insert: LINE.repeat(20_000) }]);
}

test("first load", async ({ server, arrive }) => {
  const id = await server.create("First");
  const [ana, ben] = [await arrive("Ana"), await arrive("Ben")];
  const [list, editor] = [await weigh(ana.page, PAGES), await weigh(ben.page, PAGES)];
  await ana.openList(server.url);
  await expect(ana.page.getByRole("listitem").first()).toBeVisible();
  await ben.open(server.url, id);
  await ben.page.evaluate(() => document.fonts.ready);
  note("first load of the list, gzip", `${kilobytes(list())} KB`, `at most ${kilobytes(FIRST_LOAD)} KB`);
  note("first load of the editor, gzip", `${kilobytes(editor())} KB`, `at most ${kilobytes(FIRST_LOAD)} KB`);
});

test("opening", async ({ server, arrive }) => {
  const short = await server.create("Short", [{ insert: "A line of text.\n" }]);
  const slowly = async (page: Page) => {
    const protocol = await page.context().newCDPSession(page);
    await protocol.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  };
  const first = await opening(arrive, `${server.url}/d/${short}`, slowly);
  note("first load until one can write, CPU 4 times slower", `${first.toFixed(0)} ms`, "below 1000 ms");
  const long = await opening(arrive, `${server.url}/d/${await longDocument(server)}`);
  note("opening 1 MB of 20,000 lines until one can write", `${long.toFixed(0)} ms`, "below 1500 ms");
});

test("typing into 1 MB", async ({ server, arrive }) => {
  const ana = await arrive("Ana");
  await ana.open(server.url, await longDocument(server));
  await ana.goToStart();
  await ana.type("Warm. ");
  await ana.hasSaved();
  const text = "typing ".repeat(KEYS).slice(0, KEYS);
  const work = await traced(ana.page, () => ana.page.keyboard.type(text, { delay: 50 }));
  const goal = `below ${FRAME.toFixed(1)} ms: 60 frames a second`;
  note("all work for a key that is typed into 1 MB", `${(sum(work.tasks) / KEYS).toFixed(1)} ms`, goal);
  note("the longest task of it", `${Math.max(...work.tasks).toFixed(1)} ms`, goal);
});

test("carets", async ({ server, arrive }) => {
  const id = await server.create("Crowd", [{ insert: LINE.repeat(CARETS) }]);
  const [ana, crowd] = [await arrive("Ana"), await arrive("Crowd")];
  await ana.open(server.url, id);
  await crowd.openList(server.url);
  await moveCarets(crowd.page, id, CARETS);
  await expect(ana.page.locator(".caret")).toHaveCount(CARETS);
  const work = await traced(ana.page, () => moved(ana.page, MOVES));
  const total = sum(work.tasks);
  note(`all work for a frame while ${CARETS} carets move`, `${(total / work.frames).toFixed(1)} ms`, "below 4 ms");
  note("the longest task of it", `${Math.max(...work.tasks).toFixed(1)} ms`, "");
  note("all work for each of their moves, ten a second", `${(total / MOVES).toFixed(1)} ms`, "");
});

/** Has `count` people without pages of their own move through the document, ten times a second each. */
async function moveCarets(page: Page, id: string, count: number): Promise<void> {
  await page.evaluate(
    ([document, people]) => {
      for (let person = 0; person < people; person++) {
        const socket = new WebSocket(`${location.origin.replace("http", "ws")}/v1/collab/${document}`, "quire.v1");
        const client = crypto.randomUUID();
        let index = person * 50;
        socket.onopen = () => socket.send(JSON.stringify({ type: "hello", client, name: `Person ${person}` }));
        socket.onmessage = ({ data }) => {
          const frame = JSON.parse(data as string) as { type: string; version: number };
          if (frame.type !== "welcome") return;
          setInterval(() => {
            index = person * 50 + ((index + 1) % 50);
            const state = { cursor: { index, length: 0 }, status: "active" };
            socket.send(JSON.stringify({ type: "presence", state, base: frame.version }));
          }, 100);
        };
      }
    },
    [id, count] as const,
  );
}

/** Waits until a caret of the page has been placed anew `times` times. */
async function moved(page: Page, times: number): Promise<void> {
  await page.evaluate(
    (wanted) =>
      new Promise<void>((resolve) => {
        let seen = 0;
        const caret = document.querySelector(".caret");
        const observer = new MutationObserver(() => {
          if (++seen < wanted) return;
          observer.disconnect();
          resolve();
        });
        if (caret) observer.observe(caret, { attributeFilter: ["style"] });
      }),
    times,
  );
}

function note(what: string, figure: string, goal: string): void {
  rows.push([what, figure, goal]);
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(0);
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
