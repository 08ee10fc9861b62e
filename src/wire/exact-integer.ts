/**
 * The exact value of an integer in a JSON text. `JSON.parse` rounds integers beyond 2^53, and the timestamps that
 * gateways send have 19 digits; two different ones must not become the same number. This reads the digits
 * from the text instead, for both the HTTP body and the wire event.
 */

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
  const quoted = `"${key}"`;
  const at = json.indexOf(quoted);
  // The text is one object without escapes and has the key once: then it is a top-level member, or a string value.
  const start = skipSpace(json, 0);
  const simple =
    json.charCodeAt(start) === BRACE_OPEN &&
    !json.includes('\\') &&
    !json.includes('{', start + 1) &&
    (at === -1 || !json.includes(quoted, at + quoted.length));
  if (!simple) return integerAt(json, lastValueStart(json, key));
  if (at === -1) return undefined;
  const colon = skipSpace(json, at + quoted.length);
  return json.charCodeAt(colon) === COLON ? integerAt(json, skipSpace(json, colon + 1)) : undefined;
}

/** Where the value of the last top-level member `key` starts, or -1. */
function lastValueStart(json: string, key: string): number {
  let at = skipSpace(json, 0);
  let found = -1;
  if (json.charCodeAt(at) !== BRACE_OPEN) return found;
  at = skipSpace(json, at + 1);
  while (json.charCodeAt(at) === QUOTE) {
    const end = skipString(json, at);
    const valueStart = skipSpace(json, skipSpace(json, end) + 1);
    if (stringEquals(json, at, end, key)) found = valueStart;
    at = skipSpace(json, skipValue(json, valueStart));
    if (json.charCodeAt(at) !== COMMA) break;
    at = skipSpace(json, at + 1);
  }
  return found;
}

function stringEquals(json: string, start: number, end: number, key: string): boolean {
  const literal = json.slice(start, end);
  return literal.includes('\\') ? JSON.parse(literal) === key : literal === `"${key}"`;
}

function skipSpace(json: string, from: number): number {
  let at = from;
  for (;;) {
    const code = json.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at++;
  }
}

/** `from` is at the opening quote; the answer is behind the closing one. */
function skipString(json: string, from: number): number {
  let at = from + 1;
  for (let code = json.charCodeAt(at); code !== QUOTE && at < json.length; code = json.charCodeAt(at)) {
    at += code === BACKSLASH ? 2 : 1;
  }
  return at + 1;
}

function skipValue(json: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < json.length) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) {
      at = skipString(json, at);
      continue;
    }
    if (code === BRACE_OPEN || code === BRACKET_OPEN) depth++;
    else if (code === BRACE_CLOSE || code === BRACKET_CLOSE) {
      if (depth === 0) return at;
      depth--;
    } else if (code === COMMA && depth === 0) return at;
    at++;
  }
  return at;
}

const NUMBER = /(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?/y;

function integerAt(json: string, start: number): bigint | undefined {
  if (start < 0) return undefined;
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
