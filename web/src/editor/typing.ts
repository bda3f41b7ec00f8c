/** Who types right now, in words. */
import type { DocumentSession } from "@quire/client";

/** Names of those who type, with all windows of a person taken together. Without a connection nobody knows who does. */
export function typists({ connection, peers }: Pick<DocumentSession, "connection" | "peers">): string[] {
  if (connection.state !== "connected") return [];
  const typing = peers.filter((peer) => peer.state?.status === "typing");
  return [...new Map(typing.map(({ user }) => [user.id, user.name])).values()];
}

/** "Ana is typing…", "Ana and Ben are typing…", "3 people are typing…"; empty when nobody does. */
export function typingText(names: string[]): string {
  const [first, second] = names;
  if (first === undefined) return "";
  if (second === undefined) return `${first} is typing…`;
  return names.length === 2 ? `${first} and ${second} are typing…` : `${names.length} people are typing…`;
}
