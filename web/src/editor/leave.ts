/** Leaving the page: what is still on its way to the server is saved first. */
import type { DocumentSession } from "@quire/client";

/** Nobody is kept longer than this, in ms: after it the browser asks whether to leave without. */
const LIMIT = 2_000;

/** Resolves when everything is saved, at once without a connection, and after `LIMIT` in any case. */
export async function saveFirst(session: Pick<DocumentSession, "saved" | "connection" | "whenSaved">): Promise<void> {
  if (session.saved || session.connection.state !== "connected") return;
  const limit = new Promise((resolve) => setTimeout(resolve, LIMIT));
  // The session may end first; the browser's question says so then.
  await Promise.race([session.whenSaved().catch(() => undefined), limit]);
}

/** Makes `link` wait for what is not saved yet. A click that opens another tab leaves nothing behind. */
export function saveBefore(link: HTMLAnchorElement, session: DocumentSession): void {
  link.addEventListener("click", (event) => {
    const elsewhere = event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (elsewhere || session.saved) return;
    event.preventDefault();
    void saveFirst(session).then(() => location.assign(link.href));
  });
}
