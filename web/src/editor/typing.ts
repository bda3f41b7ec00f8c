/** Who types right now, in words. */

/** "Ana is typing…", "Ana and Ben are typing…", "3 people are typing…"; empty when nobody does. */
export function typingText(names: string[]): string {
  const [first, second] = names;
  if (first === undefined) return "";
  if (second === undefined) return `${first} is typing…`;
  return names.length === 2 ? `${first} and ${second} are typing…` : `${names.length} people are typing…`;
}
