/**
 * The fast checks in front of class-validator decide nothing of their own: over arbitrary values they agree with the
 * decorators, and the decorators agree with class-validator's stock rules and the contract's bounds.
 */
import { isInt, isIP, max, min } from 'class-validator';
import fc from 'fast-check';
import { DtoValidator } from '../../src/http/dto/dto-validator';
import { isSurelyLoadAdd, LoadAddDto } from '../../src/http/dto/load-add.dto';
import { isSurelyLoadDelete, LoadDeleteDto } from '../../src/http/dto/load-delete.dto';
import { isSurelyLoadQuery, LoadQueryDto } from '../../src/http/dto/load-query.dto';
import { ApiError } from '../../src/http/errors';

type Members = Record<string, unknown>;

const texts = fc.oneof(
  { weight: 4, arbitrary: fc.string({ minLength: 1, maxLength: 20 }) },
  fc.string({ minLength: 250, maxLength: 260 }),
  fc.string({ unit: 'binary', maxLength: 260, size: 'max' }),
  fc.constantFrom(
    '',
    'x'.repeat(256),
    'x'.repeat(257),
    '🙂'.repeat(256),
    '🙂'.repeat(257),
    '\ud800',
    'a\udfffb',
    '❤\ufe0f',
  ),
);
const addresses = fc.oneof(
  { weight: 4, arbitrary: fc.ipV4() },
  fc.ipV4Extended(),
  fc.ipV6(),
  fc.array(fc.integer({ min: -1, max: 300 }), { minLength: 3, maxLength: 5 }).map((parts) => parts.join('.')),
  fc.constantFrom('', '01.2.3.4', '1.2.3.4 ', '1.2.3.4\n', '１.2.3.4', '1.2.3.4.', '256.1.1.1', '0.0.0.0'),
);
const numbers = fc.oneof(
  { weight: 3, arbitrary: fc.nat() },
  fc.integer(),
  fc.double(),
  fc.constantFrom(0, -0, -1, 2147483647, 2147483648, 4294967295, 2 ** 53, 1e300, NaN, Infinity),
);
const timestamps = fc.oneof(
  { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }) },
  fc.bigInt(),
  fc.constantFrom(0n, -1n, 2n ** 63n - 1n, 2n ** 63n),
);
const anything = fc.anything({ withBigInt: true, withNullPrototype: true, maxDepth: 2 });

/** Mostly what belongs in the field, now and then anything at all, null, or nothing. */
function field(usual: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 30, arbitrary: usual }, anything, fc.constantFrom(null, undefined));
}

function reasonsOf(validator: DtoValidator<object>, members: Members): string[] {
  try {
    validator.check(members);
    return [];
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.reason.split('; ').map((reason) => reason.split(' ')[0]!);
  }
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;
const isWellFormed = (value: string): boolean => Buffer.from(value).toString() === value;
const stock = {
  text: (value: unknown) =>
    typeof value === 'string' && value !== '' && Array.from(value).length <= 256 && isWellFormed(value),
  ip: (value: unknown) => isIP(value, 4),
  prompt_length: (value: unknown) => isInt(value) && min(value, 0) && max(value, 2 ** 31 - 1),
  timestamp: (value: unknown) => typeof value === 'bigint' && BigInt.asUintN(63, value) === value,
};

/** Which fields the contract refuses. */
function badFields(rules: Record<string, (value: unknown) => boolean>, members: Members): string[] {
  return Object.keys(rules).filter((name) => !rules[name]!(members[name]));
}

const cases = [
  {
    name: 'POST /v1/load/stats',
    dto: LoadAddDto,
    isSurely: isSurelyLoadAdd,
    members: fc.record({
      cluster: field(texts),
      request_id: field(texts),
      ip: field(addresses),
      prompt_length: field(numbers),
      timestamp: field(timestamps),
    }),
    rules: {
      cluster: stock.text,
      request_id: stock.text,
      ip: stock.ip,
      prompt_length: (value: unknown) => isAbsent(value) || stock.prompt_length(value),
      timestamp: (value: unknown) => isAbsent(value) || stock.timestamp(value),
    },
  },
  {
    name: 'DELETE',
    dto: LoadDeleteDto,
    isSurely: isSurelyLoadDelete,
    members: fc.record({
      request_id: field(texts),
      cluster: field(texts),
      ip: field(addresses),
      prompt_length: field(numbers),
    }),
    rules: {
      request_id: stock.text,
      cluster: (value: unknown) => isAbsent(value) || value === '' || stock.text(value),
      ip: (value: unknown) => isAbsent(value) || value === '' || stock.ip(value),
      prompt_length: (value: unknown) => isAbsent(value) || stock.prompt_length(value),
    },
  },
  {
    name: 'GET',
    dto: LoadQueryDto,
    isSurely: isSurelyLoadQuery,
    members: fc.record({ cluster: field(texts) }),
    rules: { cluster: stock.text },
  },
];

describe.each(cases)('validation of $name', ({ dto, isSurely, members: arbitrary, rules }) => {
  const byDecorators = new DtoValidator<object>(dto);
  const withFastCheck = new DtoValidator<object>(dto, isSurely);
  const members = arbitrary as fc.Arbitrary<Members>;

  it('agrees with the contract, with and without the fast check', () => {
    fc.assert(
      fc.property(members, (body) => {
        const expected = badFields(rules, body);
        expect(reasonsOf(byDecorators, body).sort()).toEqual([...expected].sort());
        expect(reasonsOf(withFastCheck, body).sort()).toEqual([...expected].sort());
        // Beyond nulls, the fast check leaves no valid body to the decorators.
        const isValid = expected.length === 0;
        expect(isSurely(body)).toBe(isValid && !Object.values(body).includes(null));
      }),
      { numRuns: 3_000 },
    );
  });

  it('hands on the same values, with and without the fast check', () => {
    fc.assert(
      fc.property(members, (body) => {
        fc.pre(isSurely(body));
        expect(withFastCheck.check(body)).toMatchObject(definedOf(byDecorators.check(body)));
      }),
      { numRuns: 300 },
    );
  });
});

function definedOf(dto: object): Members {
  return Object.fromEntries(Object.entries(dto).filter(([, value]) => value !== undefined));
}
