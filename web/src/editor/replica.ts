/** The client id of this tab. */

const KEY = "quire.client";

/**
 * The id that this tab had before it was loaded anew, or a fresh one. A tab that was duplicated finds its original's id
 * in its storage; a lock that lives as long as the page tells the two apart, since two live sessions must not share one.
 * Undefined where pages may not hold locks (plain http from afar): the client then makes an id for each load.
 */
export async function claimClient(): Promise<string | undefined> {
  if (!window.isSecureContext) return undefined;
  try {
    const kept = sessionStorage.getItem(KEY);
    if (kept !== null && (await hold(kept))) return kept;
    const fresh = crypto.randomUUID();
    await hold(fresh);
    sessionStorage.setItem(KEY, fresh);
    return fresh;
  } catch {
    return undefined;
  }
}

/** Takes the lock of `client` for as long as the page lives; false if another tab has it. */
function hold(client: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(`quire.client.${client}`, { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        // Never settles when the lock was got: it goes with the page.
        return lock === null ? undefined : new Promise<never>(() => undefined);
      })
      .catch(reject);
  });
}
