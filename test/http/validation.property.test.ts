/**
 * The check that is made out of the decorators' metadata decides nothing of its own: over arbitrary values it agrees with
 * class-validator, and both with the contract's bounds.
 */
import { isInt, isIP, max, min, validateSync } from 'class-validator';
import fc from 'fast-check';
import { isName } from '../../src/core/event';
import { DtoCheck } from '../../src/http/dto/dto-check';
import { LoadAddDto } from '../../src/http/dto/load-add.dto';
import { LoadDeleteDto } from '../../src/http/dto/load-delete.dto';
import { LoadRefreshDto } from '../../src/http/dto/load-refresh.dto';
import { LogLevelDto } from '../../src/http/dto/log-level.dto';
import { WatchQueryDto } from '../../src/http/dto/watch-query.dto';
import { codePoint } from '../support/code-point';
import { runs } from '../support/size';

type Members = Record<string, unknown>;

const texts = fc.oneof(
  { weight: 4, arbitrary: fc.string({ minLength: 1, maxLength: 20 }) },
  fc.string({ minLength: 250, maxLength: 260 }),
  fc.string({ unit: codePoint, maxLength: 260, size: 'max' }),
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

/** Which fields class-validator itself refuses. */
function refusedByLibrary(dto: new () => object, members: Members): string[] {
  return validateSync(Object.assign(new dto(), members)).map(({ property }) => property);
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

const levels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const levelTexts = fc.oneof(
  fc.mixedCase(fc.constantFrom(...levels)),
  fc.constantFrom('warning', 'INFO ', 'info\n', ''),
);

const cases = [
  {
    name: 'POST /v1/load/stats',
    dto: LoadAddDto,
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
    name: 'PUT /v1/load/stats',
    dto: LoadRefreshDto,
    members: fc.record({ request_id: field(texts), cluster: field(texts), ip: field(addresses) }),
    rules: {
      request_id: stock.text,
      cluster: (value: unknown) => isAbsent(value) || stock.text(value),
      ip: (value: unknown) => isAbsent(value) || stock.ip(value),
    },
  },
  {
    name: 'DELETE',
    dto: LoadDeleteDto,
    members: fc.record({ request_id: field(texts), cluster: anything }),
    rules: { request_id: stock.text },
  },
  {
    name: 'the streams',
    dto: WatchQueryDto,
    members: fc.record({
      cluster: field(fc.array(texts, { maxLength: 66 })),
      interval_ms: field(numbers),
    }),
    rules: {
      cluster: (value: unknown) =>
        Array.isArray(value) && min(value.length, 1) && max(value.length, 64) && value.every(stock.text),
      interval_ms: (value: unknown) =>
        isAbsent(value) || (isInt(value) && min(value, 20) && max(value, 10_000)),
    },
  },
  {
    name: 'POST /log/level',
    dto: LogLevelDto,
    members: fc.record({ LevelParam: field(levelTexts) }),
    rules: {
      LevelParam: (value: unknown) => typeof value === 'string' && levels.includes(value.toUpperCase()),
    },
  },
];

describe.each(cases)('validation of $name', ({ dto, members: arbitrary, rules }) => {
  it('agrees with the contract, and the derived check with class-validator', () => {
    const check = new DtoCheck<object>(dto);
    fc.assert(
      fc.property(arbitrary as fc.Arbitrary<Members>, (body) => {
        const expected = badFields(rules, body);
        expect(refusedByLibrary(dto, body).sort()).toEqual([...expected].sort());
        expect(check.isValid(body)).toBe(expected.length === 0);
      }),
      { numRuns: runs(3_000) },
    );
  });
});

it('a name is over HTTP what it is on the bus', () => {
  const check = new DtoCheck(LoadDeleteDto);
  fc.assert(
    fc.property(field(texts), (request_id) => {
      expect(check.isValid({ request_id })).toBe(isName(request_id));
    }),
    { numRuns: runs(3_000) },
  );
});
