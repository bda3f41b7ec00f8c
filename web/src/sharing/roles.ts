/** Roles and times in the words of people. */
import type { Role } from "@quire/client";

export const ROLES = ["viewer", "commenter", "editor"] as const satisfies readonly Role[];
export type Given = (typeof ROLES)[number];

const MAY: Record<Role, string> = {
  viewer: "may read",
  commenter: "may comment",
  editor: "may write",
  owner: "owner",
};

/** "may write" */
export function mayText(role: Role): string {
  return MAY[role];
}

/** Choices for a field: each role with its words, with capitals. */
export const ROLE_CHOICES = ROLES.map((role) => [role, capital(MAY[role])] as const);

/** For the role of the address. */
export const ADDRESS_CHOICES = [
  ["none", "Nothing"],
  ["viewer", "Read"],
  ["commenter", "Read and comment"],
  ["editor", "Read and write"],
] as const;

/** What whoever copies the address should know. */
export function addressText(link: Role | null): string {
  switch (link) {
    case null:
      return "Those whom the document is shared with can open it.";
    case "viewer":
      return "Whoever has it can read here.";
    case "commenter":
      return "Whoever has it can read and comment here.";
    default:
      return "Whoever has it can write here.";
  }
}

const HOUR = 3_600_000;

export const SPANS = [
  ["", "For good"],
  ["1", "For an hour"],
  ["24", "For a day"],
  ["168", "For a week"],
  ["720", "For 30 days"],
] as const;

export type Span = (typeof SPANS)[number][0];

/** When something ends that begins now, in Unix ms; undefined for never. */
export function endOf(span: Span, now = Date.now()): number | undefined {
  return span === "" ? undefined : now + Number(span) * HOUR;
}

/** "until 14:05", "until 3 March, 14:05" */
export function untilText(at: number, now = Date.now()): string {
  const today = new Date(at).toDateString() === new Date(now).toDateString();
  const time: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit" };
  const day: Intl.DateTimeFormatOptions = today ? {} : { day: "numeric", month: "long" };
  return `until ${new Date(at).toLocaleString(undefined, { ...day, ...time })}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
