import fc from 'fast-check';
import { repeatedMembers } from '../../src/http/json-members';

function repeatedIn(json: string): string[] {
  return [...repeatedMembers(json, Object.keys(JSON.parse(json) as object).length)];
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
