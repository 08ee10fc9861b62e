import fc from 'fast-check';

/**
 * Any character, lone surrogates apart: `fc.string({ unit: codePoint })`. The same as fast-check's unit `binary`, which
 * makes a table of all of them first: a second of processor time in every file that asks for it.
 */
export const codePoint = fc
  .oneof(fc.integer({ min: 0, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff }))
  .map((code) => String.fromCodePoint(code));
