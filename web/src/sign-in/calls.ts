/** What can be asked for without being signed in. */
import { RequestFailed, send } from "../request";

/** Whom else people sign in with. */
export interface Provider {
  name: string;
  label: string;
}

export async function register(account: { email: string; password: string; name?: string }): Promise<void> {
  await send("POST", "/v1/auth/register", account);
}

/** Has a mail sent, if there is such an account. */
export async function forgetPassword(email: string): Promise<void> {
  await send("POST", "/v1/auth/password/forgot", { email });
}

/** `token` is what was sent. */
export async function resetPassword(token: string, password: string): Promise<void> {
  await send("POST", "/v1/auth/password/reset", { token, password });
}

/** None where the server knows of none. */
export async function listProviders(): Promise<Provider[]> {
  try {
    const response = await send("GET", "/v1/auth/oidc");
    return ((await response.json()) as { providers?: Provider[] }).providers ?? [];
  } catch (error) {
    if (error instanceof RequestFailed) return [];
    throw error;
  }
}

/** Where signing in with a provider begins; it comes back to the path `to`. */
export function providerPath({ name }: Provider, to: string): string {
  return `/v1/auth/oidc/${encodeURIComponent(name)}?to=${encodeURIComponent(to)}`;
}
