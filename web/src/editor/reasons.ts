/** What the codes of the protocol mean to the person whose change was not kept. */
import type { LostEvent, QuireError } from "@quire/client";

/** Why, and what became of the rest, in words. */
export function reasonOf({ code, message }: Pick<LostEvent, "code" | "message">): string {
  switch (code) {
    case "too_large":
      return "The document would have become too large. Everything else is saved.";
    case "forbidden":
      // The id of this replica turned out to be another user's: it has got a new one, and goes on.
      return "This window was signed in as somebody else when it was made. You can go on writing; insert the text again if it should be kept.";
    case "read_only":
      return "You may read this document but no longer change it.";
    case "reset":
      return "The server had to send the document anew, and this change was not in it.";
    default:
      return `The server did not accept it (${message}). Everything else is saved.`;
  }
}

/**
 * What the server complains about that is no edit of the person; undefined for what passes by itself. Nothing is lost by
 * it, or `lost` tells.
 */
export function complaintText({ code, message }: Pick<QuireError, "code" | "message">): string | undefined {
  if (code === "rate_limited" || code === "unavailable") return undefined;
  return `The server reported a fault: ${message}. What you have written is kept; if this comes again, load the page anew.`;
}

/** Why an edit was not even applied. The sheet shows the text as it was before. */
export function refusedText({ code, message }: Pick<QuireError, "code" | "message">): string {
  switch (code) {
    case "too_large":
      return "With this the document would be larger than it may be (10 MB). Nothing was inserted; insert it in smaller parts.";
    case "indivisible":
      return "An image or a link in this is larger than 512 KB, which cannot be sent. Nothing was inserted.";
    case "read_only":
      return "You may read this document but not change it. Nothing was changed.";
    case "closed":
    case "not_ready":
      return "There is no connection to the document. Nothing was changed; load the page again.";
    default:
      return `This change cannot be made (${message}). Nothing was changed.`;
  }
}
