/** What one page hands to the next one of the same tab, to be shown once. */

export interface Notice {
  /** A document that the person has just moved to the trash. */
  trashed?: { id: string; title: string };
}

const KEY = "quire.notice";

export function leaveNotice(notice: Notice): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(notice));
  } catch {
    // Without storage the next page cannot offer Undo; the trash still keeps the document.
  }
}

export function takeNotice(): Notice | undefined {
  try {
    const kept = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return kept === null ? undefined : (JSON.parse(kept) as Notice);
  } catch {
    return undefined;
  }
}
