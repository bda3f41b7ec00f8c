/** The calls about one's own account. Times are Unix ms. */
import { call } from "../api";

export interface Me {
  id: string;
  name?: string;
  email?: string;
  admin: boolean;
  /** Whether there is a password here, which others who have signed in do not have. */
  password: boolean;
  second_factor: boolean;
}

export interface SignInEntry {
  id: string;
  user_agent: string;
  created_at: number;
  used_at: number;
  current: boolean;
}

export async function readMe(): Promise<Me> {
  return (await (await call("GET", "/v1/auth/me")).json()) as Me;
}

export async function rename(name: string): Promise<void> {
  await call("PATCH", "/v1/auth/me", { name });
}

export async function changePassword(old: string, fresh: string): Promise<void> {
  await call("POST", "/v1/auth/password", { old, new: fresh });
}

/** What an authenticator makes codes of: typed, or read from a picture of `address`. */
export async function enrol(password: string): Promise<{ secret: string; address: string }> {
  return (await (await call("POST", "/v1/auth/totp", { password })).json()) as { secret: string; address: string };
}

/** Gives the recovery codes, which are not shown again. */
export async function confirmCode(code: string): Promise<string[]> {
  const response = await call("POST", "/v1/auth/totp/confirm", { code });
  return ((await response.json()) as { recovery_codes: string[] }).recovery_codes;
}

export async function removeSecondFactor(password: string, code: string): Promise<void> {
  await call("POST", "/v1/auth/totp/remove", { password, code });
}

export async function listSignIns(): Promise<SignInEntry[]> {
  return ((await (await call("GET", "/v1/auth/sessions")).json()) as { sessions: SignInEntry[] }).sessions;
}

export async function endSignIn(id: string): Promise<void> {
  await call("DELETE", `/v1/auth/sessions/${encodeURIComponent(id)}`);
}

/** All that the server keeps of the person. */
export async function exportPerson(): Promise<Blob> {
  return (await call("GET", "/v1/users/me/export")).blob();
}

/** What somebody proves once more who they are with. */
export interface Proof {
  password?: string;
  totp?: string;
}

/** `documents`: those that are shared with nobody, or all that the person owns. */
export async function erase(documents: "private" | "owned", proof: Proof): Promise<void> {
  await call("POST", `/v1/users/me/erase?documents=${documents}`, proof);
}
