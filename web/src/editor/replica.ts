/** The client id of this tab, one for each person who has used it. */

/** Where it is kept: a replica is one person's. */
const keyOf = (user: string | undefined) => (user === undefined ? "quire.client" : `quire.client.${user}`);

/**
 * The id that this tab had before it was loaded anew, or a fresh one. A tab that was duplicated finds its original's id
 * in its storage; a lock that lives as long as the page tells the two apart, since two live sessions must not share one.
 * Undefined where pages may not hold locks (plain http from afar): the client then makes an id for each load.
 */
export async function claimClient(user: string | undefined): Promise<string | undefined> {
  if (!window.isSecureContext) return undefined;
  const key = keyOf(user);
  try {
    const kept = sessionStorage.getItem(key);
    if (kept !== null && (await hold(kept))) return kept;
    const fresh = crypto.randomUUID();
    await hold(fresh);
    sessionStorage.setItem(key, fresh);
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
