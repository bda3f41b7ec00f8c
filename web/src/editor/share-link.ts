/**
 * The token of a share link comes in the fragment of the address, which no server is sent. It is taken out of it, since
 * addresses are shown, copied and kept, and lasts as long as the tab.
 */
const keyOf = (id: string) => `quire.link.${id}`;

/** The token that `hash` brings, if there is one. */
export function tokenIn(hash: string): string | undefined {
  const token = new URLSearchParams(hash.replace(/^#/, "")).get("link");
  return token === null || token === "" ? undefined : token;
}

/** Where a document opens by a share link. */
export function addressWith(address: string, token: string): string {
  return `${address}#link=${encodeURIComponent(token)}`;
}

/** Takes the token out of the address of this page, or finds the one that this tab has had before. */
export function takeShareLink(id: string): string | undefined {
  const brought = tokenIn(location.hash);
  if (brought !== undefined) history.replaceState(null, "", location.pathname + location.search);
  // Another link to the document that is open changes nothing but the fragment.
  window.addEventListener("hashchange", () => tokenIn(location.hash) !== undefined && location.reload());
  try {
    if (brought !== undefined) sessionStorage.setItem(keyOf(id), brought);
    return brought ?? sessionStorage.getItem(keyOf(id)) ?? undefined;
  } catch {
    return brought;
  }
}
