/**
 * What each kind of field may hold: a predicate and the words for it. The decorators of the DTOs and the fast check
 * in front of them both use these, so a rule exists once.
 */
import { CANONICAL_IPV4, isName, MAX_NAME_LENGTH, MAX_PROMPT_LENGTH } from '../../core/event';

export interface FieldRule {
  readonly allows: (value: unknown) => boolean;
  /** Completes the sentence "<field> must be …". */
  readonly words: string;
}

export const text: FieldRule = {
  allows: (value) => isName(value),
  words: `a string of 1 to ${MAX_NAME_LENGTH} characters`,
};

export const textOrEmpty: FieldRule = {
  allows: (value) => isName(value, 0),
  words: `a string of at most ${MAX_NAME_LENGTH} characters`,
};

export const ipv4: FieldRule = {
  allows: (value) => typeof value === 'string' && CANONICAL_IPV4.test(value),
  words: 'an IPv4 address',
};

export const ipv4OrEmpty: FieldRule = {
  allows: (value) => value === '' || ipv4.allows(value),
  words: 'an IPv4 address or empty',
};

export const promptLength: FieldRule = {
  allows: (value) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_PROMPT_LENGTH,
  words: `an integer from 0 to ${MAX_PROMPT_LENGTH}`,
};

export const MAX_TIMESTAMP_NS = 9223372036854775807n;

/** Expects the exact integer that `exactIntegerOf` reads from the body's text: a number cannot hold 19 digits. */
export const timestampNs: FieldRule = {
  allows: (value) => typeof value === 'bigint' && value >= 0n && value <= MAX_TIMESTAMP_NS,
  words: `an integer from 0 to ${MAX_TIMESTAMP_NS.toString()}`,
};

/** In any case. */
export const LOG_LEVEL_NAMES = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

export const logLevel: FieldRule = {
  allows: (value) => typeof value === 'string' && LOG_LEVEL_NAMES.includes(value.toUpperCase()),
  words: `one of ${LOG_LEVEL_NAMES.join(', ')}`,
};

export const MIN_WATCH_INTERVAL_MS = 20;
export const MAX_WATCH_INTERVAL_MS = 10_000;

/** As it stands in a query: digits. */
export const watchInterval: FieldRule = {
  allows: (value) =>
    typeof value === 'string' &&
    /^\d{1,5}$/.test(value) &&
    Number(value) >= MIN_WATCH_INTERVAL_MS &&
    Number(value) <= MAX_WATCH_INTERVAL_MS,
  words: `an integer from ${MIN_WATCH_INTERVAL_MS} to ${MAX_WATCH_INTERVAL_MS}`,
};
