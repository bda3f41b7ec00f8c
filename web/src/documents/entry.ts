/** How a document is named and reached. */

/** What a document without a title is called; the server gives it to those that are made without one. */
export const UNTITLED = "Untitled";

/** The title as it is shown: a document without one is "Untitled". */
export function titleOf(document: { title: string }): string {
  return document.title.trim() || UNTITLED;
}

/** The address of a document's editor. */
export function editorPath(id: string): string {
  return `/d/${encodeURIComponent(id)}`;
}

/** The id of the document that `pathname` is the editor of, or `undefined`. */
export function documentIdOf(pathname: string): string | undefined {
  const id = /^\/d\/([^/]+)\/?$/.exec(pathname)?.[1];
  if (id === undefined) return undefined;
  try {
    return decodeURIComponent(id);
  } catch {
    return undefined;
  }
}
