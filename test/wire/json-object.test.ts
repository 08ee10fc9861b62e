import fc from 'fast-check';
import { exactIntegerOf, JsonObject } from '../../src/wire/json-object';
import { equal } from '../support/same';
import { runs } from '../support/size';

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
      { numRuns: runs(2000) },
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

function read(json: string): JsonObject {
  const object = JsonObject.read(Buffer.from(json));
  if (typeof object === 'string') throw new Error(object);
  return object;
}

function repeatedIn(json: string): string[] {
  return [...read(json).repeatedMembers()];
}

describe('repeated members of a JSON object', () => {
  it.each([
    ['{}', []],
    [' { "a" : 1 , "b" : 2 } ', []],
    ['{"a":1,"a":1}', ['a']],
    ['{"a":1,"b":2,"a":3,"b":4,"a":5}', ['a', 'b']],
    ['{"a":1,"\\u0061":2}', ['a']],
    ['{"a":{"a":1,"a":2},"b":[{"a":1}]}', []],
    ['{"a":"\\"a\\":1,\\\\","b":":"}', []],
    ['{"":1,"":2}', ['']],
    ['{"__proto__":1,"__proto__":2}', ['__proto__']],
    ['{"a\\"":1,"a\\"":2}', ['a"']],
  ])('are found in %s', (json, expected) => {
    expect(repeatedIn(json)).toEqual(expected);
  });

  it('are found wherever they are put among arbitrary others', () => {
    const members = fc.array(fc.tuple(fc.string(), fc.jsonValue({ maxDepth: 3 })), { maxLength: 8 });
    fc.assert(
      fc.property(members, fc.constantFrom('', ' ', '\n\t'), (pairs, space) => {
        const texts = pairs.map(
          ([name, value]) => `${JSON.stringify(name)}${space}:${space}${JSON.stringify(value)}`,
        );
        const names = pairs.map(([name]) => name);
        const expected = new Set(names.filter((name, index) => names.indexOf(name) !== index));
        expect(new Set(repeatedIn(`{${texts.join(`${space},`)}}`))).toEqual(expected);
      }),
    );
  });
});

describe('arrays in a JSON object', () => {
  it('give the exact integers of their elements, however these are written', () => {
    expect(
      read('{"h":[ 18446744073709551615 ,1e3, "7", -5,[6],1.5,{"h":[9]} ], "x":1}').exactIntegers('h'),
    ).toEqual([18446744073709551615n, 1000n, undefined, -5n, undefined, undefined, undefined]);
    expect(read('{"h":[]}').exactIntegers('h')).toEqual([]);
    expect(read('{"h":7}').exactIntegers('h')).toEqual([]);
    expect(read('{}').exactIntegers('h')).toEqual([]);
  });

  it('give integers of 64 bits as BigInt reads their digits, whatever else is among them', () => {
    const edges = [0n, 9n, 10n ** 7n, 10n ** 14n - 1n, 10n ** 14n, 2n ** 32n, 2n ** 53n + 1n, 10n ** 19n];
    const near = fc
      .tuple(fc.constantFrom(...edges, 2n ** 64n), fc.integer({ min: -3, max: 3 }))
      .map(([edge, by]) => edge + BigInt(by));
    const ofLength = fc.integer({ min: 1, max: 21 }).chain((digits) => fc.bigInt(0n, 10n ** BigInt(digits)));
    const value = fc.oneof(near, ofLength, fc.bigInt(0n, 2n ** 64n - 1n));
    const others: [string, bigint | undefined][] = [
      ['1e3', 1000n],
      ['10.0', 10n],
      ['1.5', undefined],
      ['-7', -7n],
      ['"7"', undefined],
      ['null', undefined],
      ['[8]', undefined],
    ];
    const element = fc.oneof(
      { weight: 20, arbitrary: value.map((each) => [`${each}`, each] as [string, bigint]) },
      { weight: 1, arbitrary: fc.constantFrom(...others) },
    );
    const space = fc.constantFrom('', '', ' ', '\n\t');
    fc.assert(
      fc.property(
        fc.array(element),
        space,
        fc.constantFrom('', ',"x":{"h":[1]}'),
        (elements, around, more) => {
          const texts = elements.map(([text]) => around + text + around);
          const seen = read(`{"a":1,"h":${around}[${texts.join(',')}]${more}}`).exactIntegers('h');
          equal(
            seen,
            elements.map(([, each]) => each),
          );
        },
      ),
      { numRuns: runs(2_000) },
    );
  });

  it('give objects that know their own text, and everything else as it was parsed', () => {
    const [first, second, third] = read(
      '{"x":["{"],"events":[{"t":9223372036854775807,"a":1,"a":2,"s":"}],{"}, "10.0.0.1" ,{"t":1}]}',
    ).elements('events') as [JsonObject, string, JsonObject];
    expect(first.exactInteger('t')).toBe(9223372036854775807n);
    expect([...first.repeatedMembers()]).toEqual(['a']);
    expect(second).toBe('10.0.0.1');
    expect(third.exactInteger('t')).toBe(1n);
    expect([...third.repeatedMembers()]).toEqual([]);
  });

  it('give the same values as JSON.parse, whatever is around them', () => {
    const space = fc.constantFrom('', ' ', '\n\t');
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue({ maxDepth: 2 })),
        fc.json({ maxDepth: 2 }),
        space,
        (values, other, around) => {
          const texts = values.map((value) => around + JSON.stringify(value) + around);
          const object = read(`{"list":${other},"other":${other},"list":${around}[${texts.join(',')}]}`);
          const seen = object.elements('list').map((each) => {
            if (!(each instanceof JsonObject)) return each;
            expect(JSON.parse(each.text)).toEqual(each.members);
            return each.members;
          });
          expect(seen).toEqual(JSON.parse(JSON.stringify(values)));
          const integers = values.map((value) =>
            Number.isSafeInteger(value) ? BigInt(value as number) : undefined,
          );
          const exact = object.exactIntegers('list');
          expect(exact.map((each) => each ?? undefined)).toEqual(
            integers.map((each, i) => each ?? (typeof values[i] === 'number' ? exact[i] : undefined)),
          );
        },
      ),
    );
  });
});
