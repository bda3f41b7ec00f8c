/** A real OpenID Connect provider (`scripts/services/oidc`), where any login is somebody's and any password is right. */
import { execFileSync } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { resolve } from "node:path";
import type { Page } from "@playwright/test";
import { Server } from "./server";

const SCRIPT = resolve(import.meta.dirname, "../../scripts/services/oidc");

export class Provider {
  private constructor(
    private readonly folder: string,
    readonly issuer: string,
  ) {}

  /** One that sends people back to `callback`, and nowhere else. */
  static start(callback: string): Provider {
    const told = execFileSync(SCRIPT, ["start", String(process.pid)], {
      env: { ...process.env, QUIRE_OIDC_BACK: callback },
      encoding: "utf8",
    });
    const [folder, issuer] = told.trim().split("\n");
    if (folder === undefined || issuer === undefined) throw new Error(`the provider did not start: ${told}`);
    return new Provider(folder, issuer);
  }

  stop(): void {
    execFileSync(SCRIPT, ["stop", this.folder]);
  }

  /** Fills in what it asks somebody who comes for the first time. */
  static async signIn(page: Page, login: string): Promise<void> {
    await page.locator("input[name=login]").fill(login);
    await page.locator("input[name=password]").fill("any");
    await page.locator("button[type=submit]").click();
    await page.getByRole("button", { name: "Continue" }).click();
  }
}

/** A server that takes people from a provider, which has to know beforehand where that server is. */
export async function withProvider(more: Record<string, string> = {}): Promise<[Server, Provider]> {
  const host = `127.0.0.1:${await freePort()}`;
  const provider = Provider.start(`http://${host}/v1/auth/oidc/real/callback`);
  const variables = {
    QUIRE_PUBLIC_URL: `http://${host}/`,
    QUIRE_OIDC_REAL_ISSUER: provider.issuer,
    QUIRE_OIDC_REAL_LABEL: "Example",
    QUIRE_OIDC_REAL_CLIENT_ID: "quire",
    QUIRE_OIDC_REAL_CLIENT_SECRET: "quire-test-secret",
    ...more,
  };
  return [await Server.start(variables, host), provider];
}

async function freePort(): Promise<number> {
  const taken = createServer();
  await new Promise<void>((listening) => taken.listen(0, "127.0.0.1", listening));
  const { port } = taken.address() as AddressInfo;
  await new Promise((closed) => taken.close(closed));
  return port;
}
