/** One environment variable: what it takes, its default, and what it is for. */
import { formatDurationMs, parseDurationMs } from './duration';

/** What a variable takes. */
export interface Kind<T> {
  /** For the reader of a table, in Markdown. */
  readonly allowed: string;
  /** For errors, after "must be". */
  readonly expected: string;
  /** Its value is never repeated. */
  readonly secret: boolean;
  /** Undefined for what is not allowed; what it throws says more, and is shown. */
  readonly parse: (value: string, isReadable: (path: string) => boolean) => T | undefined;
  /** The inverse, for the default. */
  readonly format: (value: T) => string;
}

export interface Variable<T, D> {
  readonly kind: Kind<T>;
  readonly byDefault: D;
  /** What it is for, in Markdown. */
  readonly words: string;
  /** Of its default, in Markdown. */
  readonly shownDefault: string;
}

/** With its types forgotten. */
export interface AnyVariable {
  readonly kind: Pick<Kind<unknown>, 'allowed' | 'expected' | 'secret' | 'parse'>;
  readonly byDefault: unknown;
  readonly words: string;
  readonly shownDefault: string;
}

export function variable<T, D extends T | undefined>(
  kind: Kind<T>,
  byDefault: D,
  words: string,
  shownDefault = byDefault === undefined ? 'unset' : `\`${kind.format(byDefault)}\``,
): Variable<T, D> {
  return { kind, byDefault, words, shownDefault };
}

export function text(pattern: RegExp, expected: string): Kind<string> {
  const parse = (value: string): string | undefined => (pattern.test(value) ? value : undefined);
  return { allowed: expected, expected, secret: false, parse, format: String };
}

/** `parse` throws for what is not allowed, and must not repeat it. */
export function secret<T>(allowed: string, parse: (value: string) => T): Kind<T> {
  return { allowed, expected: allowed, secret: true, parse, format: () => '' };
}

export function file(allowed: string): Kind<string> {
  return {
    allowed,
    expected: 'a readable file',
    secret: false,
    parse: (path, isReadable) => (isReadable(path) ? path : undefined),
    format: String,
  };
}

export function oneOf<const T extends string>(values: readonly T[]): Kind<T> {
  return {
    allowed: values.map((value) => `\`${value}\``).join(', '),
    expected: `one of ${values.join(', ')}`,
    secret: false,
    parse: (value) => values.find((candidate) => candidate === value.toLowerCase()),
    format: String,
  };
}

export function integer(min: number, max: number): Kind<number> {
  return {
    allowed: `${min} to ${max}`,
    expected: `an integer from ${min} to ${max}`,
    secret: false,
    parse: (value) => inRange(/^\d{1,15}$/.test(value) ? Number(value) : undefined, min, max),
    format: String,
  };
}

/** Milliseconds, written as durations. */
export function durationMs(min: number, max: number): Kind<number> {
  const [from, to] = [formatDurationMs(min), formatDurationMs(max)];
  return {
    allowed: `\`${from}\` to \`${to}\``,
    expected: `a duration such as 500ms, 5s or 1h30m, from ${from} to ${to}`,
    secret: false,
    parse: (value) => inRange(parseDurationMs(value), min, max),
    format: formatDurationMs,
  };
}

function inRange(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}
