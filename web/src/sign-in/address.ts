/** Addresses of the way in, and where it leads afterwards. */

/** Where somebody signs in who then goes on to `to`: the page that is open, unless it is said otherwise. */
export function signInPath(to = location.pathname + location.search): string {
  return to === "/" ? "/sign-in" : `/sign-in?to=${encodeURIComponent(to)}`;
}

/** Where to go on: a path on this server, whatever the address of the page says; `origin` is this server's. */
export function destination(search: string, origin: string): string {
  const to = new URLSearchParams(search).get("to") ?? "/";
  // "//elsewhere" and "/\elsewhere" are other servers.
  if (!to.startsWith("/")) return "/";
  try {
    const url = new URL(to, origin);
    return url.origin === origin ? url.pathname + url.search + url.hash : "/";
  } catch {
    return "/";
  }
}
