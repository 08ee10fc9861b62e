/**
 * Assertions for the inside of properties, where each is made a hundred thousand times: `expect`, which takes
 * microseconds to say that all is well, is asked only where it has something to say.
 */
import { isDeepStrictEqual } from 'node:util';

/** As `expect(actual).toBe(expected)`. */
export function same(actual: unknown, expected: unknown): void {
  if (!Object.is(actual, expected)) expect(actual).toBe(expected);
}

/** As `expect(actual).toEqual(expected)`. */
export function equal(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
}
