/**
 * Which members a JSON object names more than once. `JSON.parse` keeps the last one in silence; a report that names
 * two engines must be refused instead. Works on texts that `JSON.parse` has accepted as an object.
 */

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

const NONE: ReadonlySet<string> = new Set();

/** The names of the object's own members that occur more than once; `distinctCount` is how many members it parsed to. */
export function repeatedMembers(json: string, distinctCount: number): ReadonlySet<string> {
  if (scanMembers(json) === distinctCount) return NONE;
  const repeated = new Set<string>();
  const seen = new Set<string>();
  scanMembers(json, (literal) => {
    const name = JSON.parse(literal) as string;
    if (seen.has(name)) repeated.add(name);
    seen.add(name);
  });
  return repeated;
}

/** Counts the members at the top level; `onName` gets the literal of each one's name. */
function scanMembers(json: string, onName?: (literal: string) => void): number {
  let count = 0;
  let depth = 0;
  let stringStart = 0;
  let stringEnd = 0;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) {
      stringStart = at;
      at = stringEnd = endOfString(json, at);
    } else if (code === COLON) {
      if (depth === 1) {
        count++;
        onName?.(json.slice(stringStart, stringEnd + 1));
      }
    } else if (code === 0x7b || code === 0x5b) {
      depth++;
    } else if (code === 0x7d || code === 0x5d) {
      depth--;
    }
  }
  return count;
}

/** The index of the quote that closes the string opened at `start`. */
function endOfString(json: string, start: number): number {
  let at = json.indexOf('"', start + 1);
  while (isEscaped(json, at)) at = json.indexOf('"', at + 1);
  return at;
}

/** Whether an odd number of backslashes stands before. */
function isEscaped(json: string, at: number): boolean {
  let before = at - 1;
  while (json.charCodeAt(before) === BACKSLASH) before--;
  return (at - before) % 2 === 0;
}
