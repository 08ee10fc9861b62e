/** The rules that DTOs share: class-validator's own decorators put together, with the words for what they want. */
import { IsInt, IsIP, Length, Matches, Max, Min, ValidateBy, type ValidationOptions } from 'class-validator';
import {
  CANONICAL_IPV4,
  MAX_NAME_LENGTH,
  MAX_OWNER_LENGTH,
  MAX_PROMPT_LENGTH,
  OWNER,
} from '../../core/event';

/** One message for all of `rules`. */
function all(
  options: ValidationOptions,
  ...rules: readonly ((options: ValidationOptions) => PropertyDecorator)[]
): PropertyDecorator {
  return (target, key) => {
    for (const rule of rules) rule(options)(target, key);
  };
}

/** The message; the words complete the sentence "<field> must be …". */
export function inWords(words: string): ValidationOptions {
  return {
    message: ({ property, value }) =>
      value === undefined || value === null
        ? `${property} is required and must be ${words}`
        : `${property} must be ${words}`,
  };
}

/** `Length` takes a character with a variation selector for one, and half a surrogate pair for a character. */
const NAME = new RegExp(`^\\P{Surrogate}{1,${MAX_NAME_LENGTH}}$`, 'u');

/** A cluster or a request id, as `isName` of the core has it. */
export const IsName = (
  options = inWords(`a string of 1 to ${MAX_NAME_LENGTH} characters`),
): PropertyDecorator =>
  all(
    options,
    (said) => Length(1, MAX_NAME_LENGTH, said),
    (said) => Matches(NAME, said),
  );

/** What `IsIpv4` asks for. */
export const isIpv4 = (value: unknown): value is string =>
  typeof value === 'string' && CANONICAL_IPV4.test(value);

/** The gateway's process that holds a request. */
export const IsOwner = (): PropertyDecorator =>
  Matches(OWNER, inWords(`1 to ${MAX_OWNER_LENGTH} visible ASCII characters`));

export const IsIpv4 = (): PropertyDecorator => IsIP(4, inWords('an IPv4 address'));

export const IsIntegerFrom = (min: number, max: number): PropertyDecorator =>
  all(
    inWords(`an integer from ${min} to ${max}`),
    (options) => IsInt(options),
    (options) => Min(min, options),
    (options) => Max(max, options),
  );

export const IsPromptLength = (): PropertyDecorator => IsIntegerFrom(0, MAX_PROMPT_LENGTH);

export const EXACT_INTEGER = 'isExactInteger';

/** What `IsExactIntegerFrom` asks for. */
export const isExactInteger = (value: unknown, min: bigint, max: bigint): value is bigint =>
  typeof value === 'bigint' && value >= min && value <= max;

/**
 * An integer that a number cannot hold: the member becomes a `bigint` with all its digits before it is checked. With `each` it is
 * the elements of an array that do. class-validator has no rule for bigints.
 */
export const IsExactIntegerFrom = (
  min: bigint,
  max: bigint,
  options = inWords(`an integer from ${min} to ${max}`),
): PropertyDecorator =>
  ValidateBy(
    {
      name: EXACT_INTEGER,
      constraints: [min, max],
      validator: { validate: (value) => isExactInteger(value, min, max) },
    },
    options,
  );

/** Of a gateway's own time in nanoseconds. */
export const IsTimestampNs = (): PropertyDecorator => IsExactIntegerFrom(0n, 2n ** 63n - 1n);
