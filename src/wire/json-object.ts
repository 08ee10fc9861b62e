/**
 * The one reading of a JSON object, for HTTP bodies and for events. `JSON.parse` rounds integers beyond 2^53, and the
 * timestamps that gateways send have 19 digits; of members with one name it keeps the last in silence. So the
 * text is kept beside the parsed form, and what `JSON.parse` loses is read from there.
 */
import { isAscii, isUtf8 } from 'node:buffer';

export type Unreadable = 'not-utf8' | 'not-json' | 'not-an-object';

export interface ObjectBesideList {
  readonly object: JsonObject;
  readonly text: string;
  readonly listStart: number;
  readonly listEnd: number;
}

export class JsonObject {
  private repeated: ReadonlySet<string> | undefined;

  constructor(
    /** What `JSON.parse` made `members` of. */
    readonly text: string,
    readonly members: Record<string, unknown>,
  ) {}

  static read(bytes: Uint8Array): JsonObject | Unreadable {
    const isPlain = isAscii(bytes);
    if (!isPlain && !isUtf8(bytes)) return 'not-utf8';
    const text = bufferOf(bytes).toString(isPlain ? 'latin1' : 'utf8');
    const value = parsed(text);
    if (value === undefined) return 'not-json';
    return isObject(value) ? new JsonObject(text, value) : 'not-an-object';
  }

  /**
   * The object with its list `name` taken as empty, and where the brackets of that list stand in `text`: who reads the list there must
   * see that it is one, for nobody else does. A long list of hashes takes `JSON.parse` longer than all else that is done with them.
   * Undefined where the list is not found at a glance, or the object can't be read.
   */
  static readBesideList(bytes: Uint8Array, name: string): ObjectBesideList | undefined {
    if (!isAscii(bytes)) return undefined;
    const text = bufferOf(bytes).toString('latin1');
    const quoted = `"${name}"`;
    const at = text.indexOf(quoted);
    const listStart = at + quoted.length + 1;
    if (at === -1 || text.charCodeAt(listStart - 1) !== COLON || text.charCodeAt(listStart) !== BRACKET_OPEN)
      return undefined;
    const listEnd = text.indexOf(']', listStart);
    if (listEnd === -1 || text.includes(quoted, listEnd)) return undefined;
    const rest = text.slice(0, listStart + 1) + text.slice(listEnd);
    // Without escapes these quotes are those of a name.
    if (rest.includes('\\')) return undefined;
    const members = parsed(rest);
    // Else it is a member of a member.
    if (!isObject(members) || !Array.isArray(members[name])) return undefined;
    return { object: new JsonObject(rest, members), text, listStart, listEnd };
  }

  /** The names of members that occur more than once. */
  repeatedMembers(): ReadonlySet<string> {
    return (this.repeated ??= repeatedMembers(this.text, Object.keys(this.members).length));
  }

  /** The exact value of an integer; undefined where the member is absent, is none, or has more than 64 digits. */
  exactInteger(name: string): bigint | undefined {
    return exactIntegerOf(this.text, name);
  }

  /** Those of an array, likewise; none where the member is no array. */
  exactIntegers(name: string): (bigint | undefined)[] {
    if (!Array.isArray(this.members[name])) return [];
    const plain: bigint[] = [];
    const arePlain = readUnsigned(this.text, valueStart(this.text, name), (view) => {
      plain.push(view.getBigUint64(0));
    });
    if (arePlain) return plain;
    return this.inArray(name, (_value, start) => integerAt(this.text, skipSpace(this.text, start)));
  }

  /** The elements of an array: an object as a `JsonObject`, anything else as it was parsed; none where the member is no array. */
  elements(name: string): unknown[] {
    return this.inArray(name, (value, start, end) =>
      isObject(value) ? new JsonObject(this.text.slice(start, end), value) : value,
    );
  }

  private inArray<T>(name: string, read: (value: unknown, start: number, end: number) => T): T[] {
    const values = this.members[name];
    if (!Array.isArray(values)) return [];
    const places = separatorsOf(this.text, lastValueStart(this.text, name));
    return values.map((value: unknown, i) => read(value, places[i]! + 1, places[i + 1]!));
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Undefined where the text is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** More digits than any field allows; a bound on the work that one literal can cause. */
const MAX_DIGITS = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;
const COMMA = 0x2c;

/**
 * The value of the top-level member `key` of `json`, a text that `JSON.parse` has accepted. As in `JSON.parse`
 * the last of several members with the same key counts, and keys may be written with escapes. A literal that
 * denotes an integer counts however it is written (`1e3`, `10.0`). Undefined where the member is absent, is
 * no integer, or has more than 64 digits.
 */
export function exactIntegerOf(json: string, key: string): bigint | undefined {
  return integerAt(json, valueStart(json, key));
}

/** Where the value of the last top-level member `key` starts, or -1; mostly without looking at all that is before it. */
function valueStart(json: string, key: string): number {
  const quoted = `"${key}"`;
  const at = json.indexOf(quoted);
  // The text is one object without escapes and has the key once: then it is a top-level member, or a string value.
  const start = skipSpace(json, 0);
  const simple =
    json.charCodeAt(start) === BRACE_OPEN &&
    !json.includes('\\') &&
    !json.includes('{', start + 1) &&
    (at === -1 || !json.includes(quoted, at + quoted.length));
  if (!simple) return lastValueStart(json, key);
  if (at === -1) return -1;
  const colon = skipSpace(json, at + quoted.length);
  return json.charCodeAt(colon) === COLON ? skipSpace(json, colon + 1) : -1;
}

const NONE: ReadonlySet<string> = new Set();

/** The names that the object `json` has more than once; `distinctCount` is how many members it parsed to. */
function repeatedMembers(json: string, distinctCount: number): ReadonlySet<string> {
  // Mostly there is one colon for each member and no other, and that is quickly seen.
  if (colonsIn(json, distinctCount) === distinctCount || scanMembers(json) === distinctCount) return NONE;
  const repeated = new Set<string>();
  const seen = new Set<string>();
  scanMembers(json, (literal) => {
    const name = JSON.parse(literal) as string;
    if (seen.has(name)) repeated.add(name);
    seen.add(name);
  });
  return repeated;
}

/** How many there are; no more than `most` and one are counted. */
function colonsIn(json: string, most: number): number {
  let count = 0;
  for (let at = json.indexOf(':'); at !== -1 && count <= most; at = json.indexOf(':', at + 1)) count++;
  return count;
}

/** Where the value of the last top-level member `key` starts, or -1. */
function lastValueStart(json: string, key: string): number {
  let found = -1;
  scanMembers(json, (literal, valueStart) => {
    if (literal.includes('\\') ? JSON.parse(literal) === key : literal === `"${key}"`) found = valueStart;
  });
  return found === -1 ? -1 : skipSpace(json, found);
}

/** Counts the members at the top level; `onMember` gets the literal of each one's name and what stands behind its colon. */
function scanMembers(json: string, onMember?: (literal: string, valueStart: number) => void): number {
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
      // A list has no colon at its own level, so only the object that is the text has them at the first.
      if (depth === 1) {
        count++;
        onMember?.(json.slice(stringStart, stringEnd + 1), at + 1);
      }
    } else if (code === BRACE_OPEN || code === BRACKET_OPEN) {
      depth++;
    } else if (code === BRACE_CLOSE || code === BRACKET_CLOSE) {
      depth--;
    }
  }
  return count;
}

/** The places of the brackets and commas of the array that starts at `from`: its elements stand between them. */
function separatorsOf(json: string, from: number): number[] {
  const places: number[] = [];
  let depth = 0;
  for (let at = from; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) at = endOfString(json, at);
    else if (code === BRACE_OPEN || code === BRACKET_OPEN) {
      if (depth++ === 0) places.push(at);
    } else if (code === BRACE_CLOSE || code === BRACKET_CLOSE) {
      if (--depth > 0) continue;
      places.push(at);
      break;
    } else if (code === COMMA && depth === 1) places.push(at);
  }
  return places;
}

/** Of a number of up to 20 digits: so many that a double holds them beside the others' scale, in two parts of 32 bits each. */
const HEAD_DIGITS = 14;
const PART_DIGITS = 7;
const MOST_DIGITS = 20;
const SCALES = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000] as const;
const HALF = 2 ** 32;
const DIGIT_0 = 0x30;
const DOT = 0x2e;
const UPPER_E = 0x45;
const LOWER_E = 0x65;

/** Where the two halves of 64 bits become one number. */
const HALVES = new DataView(new ArrayBuffer(8));

/**
 * Reads a list that stands at `from`, of unsigned integers of 64 bits in nothing but digits, as hashes are: calls `take` with each one,
 * in the eight bytes of a view. False where it is anything else.
 */
export function readUnsigned(json: string, from: number, take: (view: DataView) => void): boolean {
  let at = skipSpace(json, from + 1);
  if (json.charCodeAt(at) === BRACKET_CLOSE) return true;
  for (;;) {
    const end = digitsEnd(json, at);
    if (!putUnsigned(json, at, end)) return false;
    take(HALVES);
    at = skipSpace(json, end);
    const code = json.charCodeAt(at);
    if (code === BRACKET_CLOSE) return true;
    if (code !== COMMA) return false;
    at = skipSpace(json, at + 1);
  }
}

/**
 * Puts what digits say into `HALVES`, read in halves of 32 bits, which takes half the time; false where there are none, a needless
 * zero leads them, or 64 bits do not hold it.
 */
function putUnsigned(json: string, start: number, end: number): boolean {
  if (end === start || end > start + MOST_DIGITS) return false;
  if (json.charCodeAt(start) === DIGIT_0 && end > start + 1) return false;
  const part = Math.min(start + PART_DIGITS, end);
  const tail = Math.min(start + HEAD_DIGITS, end);
  const head = digitsOf(json, start, part) * SCALES[tail - part]! + digitsOf(json, part, tail);
  const scale = SCALES[end - tail]!;
  const headHigh = Math.floor(head / HALF);
  const low = (head - headHigh * HALF) * scale + digitsOf(json, tail, end);
  const carry = Math.floor(low / HALF);
  const high = headHigh * scale + carry;
  if (high >= HALF) return false;
  HALVES.setUint32(0, high);
  HALVES.setUint32(4, low - carry * HALF);
  return true;
}

function digitsEnd(json: string, start: number): number {
  let end = start;
  while (isDigit(json.charCodeAt(end))) end++;
  return end;
}

function isDigit(code: number): boolean {
  return code >= DIGIT_0 && code <= DIGIT_0 + 9;
}

/** Of at most nine digits. */
function digitsOf(json: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) value = (Math.imul(value, 10) + json.charCodeAt(at) - DIGIT_0) | 0;
  return value;
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

function skipSpace(json: string, from: number): number {
  let at = from;
  for (;;) {
    const code = json.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at++;
  }
}

const NUMBER = /(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?/y;

/** Behind the digits of a number, whether there is a fraction or an exponent. */
function goesOn(code: number): boolean {
  return code === DOT || code === LOWER_E || code === UPPER_E;
}

function integerAt(json: string, start: number): bigint | undefined {
  if (start < 0) return undefined;
  const end = digitsEnd(json, start);
  if (!goesOn(json.charCodeAt(end)) && putUnsigned(json, start, end)) return HALVES.getBigUint64(0);
  NUMBER.lastIndex = start;
  const match = NUMBER.exec(json);
  if (match === null) return undefined;
  const [literal, sign, whole = '', fraction = '', exponent = '0'] = match;
  if (literal.length <= 20 && whole.length + (sign?.length ?? 0) === literal.length) return BigInt(literal);
  const shift = Number(exponent) - fraction.length;
  let digits = whole + fraction;
  if (shift < 0) {
    const cut = Math.max(0, digits.length + shift);
    if (/[1-9]/.test(digits.slice(cut))) return undefined;
    digits = digits.slice(0, cut);
  }
  digits = digits.replace(/^0+/, '');
  if (digits === '') return 0n;
  if (digits.length + Math.max(0, shift) > MAX_DIGITS) return undefined;
  return BigInt(`${sign ?? ''}${digits}${'0'.repeat(Math.max(0, shift))}`);
}
