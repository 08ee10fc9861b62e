import fc from 'fast-check';
import { exactIntegerOf } from '../../src/wire/exact-integer';

describe('exactIntegerOf', () => {
  it.each<[string, bigint | undefined]>([
    ['{"timestamp":1731897600123456789}', 1731897600123456789n],
    ['{ "timestamp" :\n\t1731897600123456789 }', 1731897600123456789n],
    ['{"a":1,"timestamp":-9223372036854775808}', -9223372036854775808n],
    ['{"\\u0074imestamp":1731897600123456789}', 1731897600123456789n],
    ['{"timestamp":1,"timestamp":1731897600123456789}', 1731897600123456789n],
    ['{"timestamp":1731897600123456789,"timestamp":"x"}', undefined],
    ['{"timestamp":1731897600123456789,"t\\u0069mestamp":2}', 2n],
    ['{"x":{"timestamp":5}}', undefined],
    ['{"x":[{"timestamp":5}],"timestamp":7}', 7n],
    ['{"x":"timestamp"}', undefined],
    ['{"x":"\\"timestamp\\":5"}', undefined],
    ['{"x":"}{","timestamp":7}', 7n],
    ['{"timestamp":1e3}', 1000n],
    ['{"timestamp":1.7318976001e+18}', 1731897600100000000n],
    ['{"timestamp":10.0}', 10n],
    ['{"timestamp":-0}', 0n],
    ['{"timestamp":1200e-2}', 12n],
    ['{"timestamp":0e999999999}', 0n],
    ['{"timestamp":1.5}', undefined],
    ['{"timestamp":1e-1}', undefined],
    ['{"timestamp":1e65}', undefined],
    ['{"timestamp":1e999999999}', undefined],
    ['{"timestamp":null}', undefined],
    ['{"timestamp":"12"}', undefined],
    ['{"timestamp":[12]}', undefined],
    ['{}', undefined],
    ['[1]', undefined],
    ['[{"timestamp":5}]', undefined],
    ['5', undefined],
    ['"timestamp"', undefined],
  ])('reads %s as %s', (json, expected) => {
    JSON.parse(json);
    expect(exactIntegerOf(json, 'timestamp')).toBe(expected);
  });

  it('agrees with an oracle that knows the members it wrote, however they are nested, escaped, spaced or repeated', () => {
    const space = fc.constantFrom('', ' ', '\n', '\t ');
    const key = fc.oneof(
      fc.constantFrom('timestamp', 'time', 'timestamp2', '', '"', '\\', 'timestamp":1,"'),
      fc.string({ maxLength: 6 }),
    );
    const integer = fc.bigInt({ min: -(10n ** 19n), max: 10n ** 19n });
    const value = fc.oneof(
      { weight: 3, arbitrary: integer.map((n) => ({ text: n.toString(), exact: n })) },
      { weight: 2, arbitrary: fc.json().map((text) => ({ text, exact: oracleOf(text) })) },
      {
        weight: 1,
        arbitrary: fc
          .oneof(integer.map(String), fc.json())
          .map((inner) => ({ text: `{"timestamp":${inner}}`, exact: undefined })),
      },
    );
    const member = fc.record({ key, value, escapeAll: fc.boolean(), space });
    fc.assert(
      fc.property(fc.array(member, { maxLength: 6 }), space, (members, around) => {
        const text = members
          .map(
            (m) => `${m.space}${literalOf(m.key, m.escapeAll)}${around}:${m.space}${m.value.text}${around}`,
          )
          .join(',');
        const json = `${around}{${text}${around}}${around}`;
        JSON.parse(json);
        for (const name of ['timestamp', ...members.map((m) => m.key)]) {
          const expected = members.findLast((m) => m.key === name)?.value.exact;
          expect(exactIntegerOf(json, name)).toBe(expected);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

/** Small numbers only: those that fast-check's `json` writes in the shortest form that reads back. */
function oracleOf(text: string): bigint | undefined {
  const parsed: unknown = JSON.parse(text);
  return typeof parsed === 'number' && Number.isSafeInteger(parsed)
    ? BigInt(parsed)
    : exactOfLarge(text, parsed);
}

function exactOfLarge(text: string, parsed: unknown): bigint | undefined {
  if (typeof parsed !== 'number' || !Number.isInteger(parsed)) return undefined;
  const [mantissa = '', exponent = '0'] = text.trim().toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = `${whole}${fraction}${'0'.repeat(Number(exponent) - fraction.length)}`;
  return digits.replace('-', '').length > 64 ? undefined : BigInt(digits);
}

function literalOf(key: string, escapeAll: boolean): string {
  if (!escapeAll) return JSON.stringify(key);
  const units = Array.from({ length: key.length }, (_, i) => key.charCodeAt(i).toString(16).padStart(4, '0'));
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`;
}
