/** A session, or whatever else of the page is saved in the background. */
export interface Saving {
  readonly saved: boolean;
  on(event: "saved", listener: () => void): () => void;
}

/** Has the browser ask before a page is left while something is not saved. Returns what ends that. */
export function askBeforeLeaving(session: Saving, page: EventTarget = window): () => void {
  const ask = (event: Event): void => {
    // The browser shows its own words; a listener that is always there would cost pages their back/forward cache.
    if (!session.saved) event.preventDefault();
  };
  let asking = false;
  const follow = (): void => {
    if (asking === !session.saved) return;
    asking = !session.saved;
    if (asking) page.addEventListener("beforeunload", ask);
    else page.removeEventListener("beforeunload", ask);
  };
  follow();
  const stop = session.on("saved", follow);
  return () => {
    stop();
    page.removeEventListener("beforeunload", ask);
  };
}
