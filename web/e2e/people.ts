/** Verbs for people at their browsers. */
import { expect, test as base, type Browser, type BrowserContext, type Page } from "@playwright/test";
import { seenContent, merge } from "./seen";
import { Server, type DeltaOp } from "./server";

/** Somebody with a browser of their own. */
export class Person {
  private constructor(
    readonly name: string,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {}

  static async arrive(
    browser: Browser,
    name: string,
    options: Parameters<Browser["newContext"]>[0] = {},
  ): Promise<Person> {
    const context = await browser.newContext(options);
    await context.addInitScript((given) => {
      if (localStorage.getItem("quire.settings") === null)
        localStorage.setItem("quire.settings", JSON.stringify({ name: given }));
    }, name);
    const person = new Person(name, context, await context.newPage());
    return person;
  }

  get sheet() {
    return this.page.locator(".ql-editor");
  }

  get state() {
    return this.page.locator(".state-line");
  }

  /** Opens a document and waits until it can be written in. */
  async open(url: string, id: string): Promise<void> {
    await this.page.goto(`${url}/d/${id}`);
    await this.canWrite();
  }

  /** Opens the list and waits until it is there. */
  async openList(url: string): Promise<void> {
    await this.page.goto(url);
    await expect(this.page.getByRole("searchbox", { name: "Search documents" })).toBeVisible();
  }

  async canWrite(): Promise<void> {
    await expect(this.sheet).toHaveAttribute("contenteditable", "true");
  }

  /** Puts the caret at the end of the document, by keyboard. */
  async goToEnd(): Promise<void> {
    await this.sheet.focus();
    await this.page.keyboard.press("Control+End");
  }

  async goToStart(): Promise<void> {
    await this.sheet.focus();
    await this.page.keyboard.press("Control+Home");
  }

  /** Types key by key, as people do. */
  async type(text: string): Promise<void> {
    await this.page.keyboard.type(text);
  }

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Selects the next `length` characters. */
  async select(length: number): Promise<void> {
    for (let index = 0; index < length; index++) await this.page.keyboard.press("Shift+ArrowRight");
  }

  async sees(text: string | RegExp): Promise<void> {
    await expect(this.sheet).toContainText(text);
  }

  async seesState(text: string | RegExp): Promise<void> {
    await expect(this.state.locator(".state-text")).toHaveText(text);
  }

  /** Waits until the server has everything. What the line says is no sign of that: its words come a little late. */
  async hasSaved(): Promise<void> {
    await expect(this.state).toHaveAttribute("data-saved", "true");
  }

  /**
   * Waits until `shown` holds in a frame of the page. What is there for a moment only, a look now and then misses on a slow
   * machine; this does not if it is begun before. `shown` runs in the page, so it stands by itself.
   */
  async glimpses(shown: () => boolean): Promise<void> {
    await this.page.waitForFunction(shown);
  }

  /** Connects again without waiting for the next attempt, unless that comes first and takes the button away. */
  async retryNow(): Promise<void> {
    const button = this.page.getByRole("button", { name: "Retry now" });
    await expect(async () => {
      if (await button.isVisible()) await button.click({ timeout: 500 }).catch(() => undefined);
      await expect(this.state.locator(".state-text")).not.toHaveText(/^(Reconnecting|Offline)/, { timeout: 500 });
    }).toPass({ timeout: 20_000 });
  }
}

/** Waits until everybody has saved and sees what the server has, and gives its text. */
export async function allAgree(server: Server, id: string, people: Person[]): Promise<string> {
  for (const person of people) await person.hasSaved();
  let content: DeltaOp[] = [];
  await expect(async () => {
    content = merge(await server.content(id));
    for (const person of people)
      expect(await seenContent(person.page), `${person.name} sees what the server has`).toEqual(content);
  }).toPass({ timeout: 15_000 });
  return textOf(content);
}

export function textOf(content: { insert: unknown }[]): string {
  return content.map(({ insert }) => (typeof insert === "string" ? insert : "\ufffc")).join("");
}

interface Fixtures {
  /** Somebody new at each call; all leave at the end of the test. */
  arrive: (name: string, options?: Parameters<Browser["newContext"]>[0]) => Promise<Person>;
}

/** Tests share one server in each worker; a test that breaks its server starts its own. */
export const test = base.extend<Fixtures, { server: Server }>({
  server: [
    // Playwright reads the fixtures that are needed from the pattern, so an empty one says "none".
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.remove();
    },
    { scope: "worker" },
  ],
  arrive: async ({ browser }, use) => {
    const people: Person[] = [];
    await use(async (name, options) => {
      const person = await Person.arrive(browser, name, options);
      people.push(person);
      return person;
    });
    await Promise.all(people.map(({ context }) => context.close()));
  },
});

export { expect };
