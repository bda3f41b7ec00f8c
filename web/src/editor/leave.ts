/** Leaving the page: what is still on its way to the server is saved first. */
import type { DocumentSession } from "@quire/client";
import type { Title } from "./title";

/** Nobody is kept longer than this, in ms: after it the browser asks whether to leave without. */
const LIMIT = 2_000;

/** Text and title are saved when this resolves, if there is a connection and it does not take too long. */
export async function saveFirst(session: DocumentSession, title: Title): Promise<void> {
  const saved = session.saved && title.saved;
  if (saved || session.connection.state !== "connected") return;
  const limit = new Promise((resolve) => setTimeout(resolve, LIMIT));
  // The session may end first; the browser's question says so then.
  const all = Promise.all([session.whenSaved().catch(() => undefined), title.whenSaved()]);
  await Promise.race([all, limit]);
}

/** Makes `link` wait for what is not saved yet. A click that opens another tab leaves nothing behind. */
export function saveBefore(link: HTMLAnchorElement, session: DocumentSession, title: Title): void {
  link.addEventListener("click", (event) => {
    const elsewhere = event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (elsewhere || (session.saved && title.saved)) return;
    event.preventDefault();
    void saveFirst(session, title).then(() => location.assign(link.href));
  });
}
