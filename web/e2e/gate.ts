/** A gate between the server and one page: what the server sends waits at it while it is closed. */
import type { Page } from "@playwright/test";

export class Gate {
  private waiting: (() => void)[] | undefined;

  /** To be put up before the page opens a document. */
  static async before(page: Page): Promise<Gate> {
    const gate = new Gate();
    await page.routeWebSocket(/\/v1\/collab\//, (near) => {
      const far = near.connectToServer();
      far.onMessage((message) => gate.pass(() => near.send(message)));
    });
    return gate;
  }

  close(): void {
    this.waiting ??= [];
  }

  open(): void {
    const { waiting = [] } = this;
    this.waiting = undefined;
    for (const send of waiting) send();
  }

  private pass(send: () => void): void {
    if (this.waiting) this.waiting.push(send);
    else send();
  }
}
