/** Text that goes into a page. */

/** Markup, in which every text has been escaped. */
export type Html = string;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export function escapeHtml(text: string): Html {
  return text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character]!);
}
