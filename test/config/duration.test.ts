import fc from 'fast-check';
import { formatDurationMs, parseDurationMs } from '../../src/config/duration';

describe('durations', () => {
  it.each<[string, number]>([
    ['500ms', 500],
    ['5s', 5_000],
    ['10m', 600_000],
    ['1h30m', 5_400_000],
    ['1h2m3s4ms', 3_723_004],
    ['90m', 5_400_000],
    ['0s', 0],
    ['007s', 7_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each([
    '',
    '5',
    's',
    '5 s',
    '-5s',
    '1.5s',
    '5S',
    '1m1h',
    '1s1s',
    '5s ',
    '1d',
    '1e3s',
    `${'9'.repeat(20)}h`,
  ])('%j is none', (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 - 1 }), (ms) => {
        expect(parseDurationMs(formatDurationMs(ms))).toBe(ms);
      }),
    );
  });
});
