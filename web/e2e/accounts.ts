/** People with accounts: made by REST, used at browsers. */
import { createHmac } from "node:crypto";
import type { Page } from "@playwright/test";
import { expect, type Person } from "./people";
import { Server } from "./server";

export const PASSWORD = "correct horse";

/** Somebody with an account, and a token of their own beside what their browser has. */
export interface Account {
  id: string;
  email: string;
  token: string;
}

/** A server where people make accounts for themselves. */
export function openToAll(more: Record<string, string> = {}): Promise<Server> {
  return Server.start({ QUIRE_REGISTRATION: "open", ...more });
}

/** Makes an account for `name`, whose address is theirs at example.org. */
export async function makeAccount(server: Server, name: string): Promise<Account> {
  const email = `${name.toLowerCase()}@example.org`;
  await server.call("POST", "/v1/auth/register", { email, password: PASSWORD, name });
  const response = await server.call("POST", "/v1/auth/login", { email, password: PASSWORD });
  const { user, access_token } = (await response.json()) as { user: { id: string }; access_token: string };
  return { id: user.id, email, token: access_token };
}

/** Fills in what `/sign-in` asks for, wherever it stands. */
export async function fillIn(page: Page, email: string, password = PASSWORD): Promise<void> {
  await page.getByLabel("Email address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).last().click();
}

/** Signs `person` in on the page for it, and waits for the list. */
export async function signIn(person: Person, server: Server, { email }: Account): Promise<void> {
  await person.page.goto(`${server.url}/sign-in`);
  await fillIn(person.page, email);
  await expect(person.page).toHaveURL(`${server.url}/`);
}

/** The code of this moment, as an authenticator makes it of a secret in base 32 (RFC 6238). */
export function codeOf(secret: string, at = Date.now()): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = Array.from(secret, (letter) => letters.indexOf(letter).toString(2).padStart(5, "0"));
  const bytes = bits.join("").match(/.{8}/g) ?? [];
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const digest = createHmac("sha1", Buffer.from(bytes.map((byte) => parseInt(byte, 2)))).update(counter).digest();
  const offset = (digest.at(-1) ?? 0) & 0xf;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
