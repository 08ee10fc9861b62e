/** The demo and the bench as commands: what they say of themselves, and what they refuse before anything is started. */
import { isLastWords } from '../../bench/arguments';
import { demoOptions } from '../../bench/demo/options';
import { benchOptions } from '../../bench/options';

describe.each([
  ['demo', demoOptions, ['minutes', 'engines', 'rate', 'seed', 'kill-every'], 'rate'],
  ['bench', benchOptions, ['only', 'rounds', 'json'], 'rounds'],
] as const)('npm run %s', (_name, read, options, number) => {
  it('says with --help what there is, with the defaults', () => {
    const help = read(['--help']) as { text: string; exitCode: number };
    expect(help.exitCode).toBe(0);
    for (const option of options) {
      expect(help.text).toMatch(new RegExp(`^ {2}--${option} .*\\(.+\\)$`, 'm'));
    }
  });

  it('refuses what it does not know, and says where to look (I8)', () => {
    for (const args of [['--no-such'], ['2'], [`--${number}=no`], [`--${number}`], [`--${number}=0`]]) {
      const refusal = read(args) as { text: string; exitCode: number };
      expect([args, refusal.exitCode]).toEqual([args, 2]);
      expect(refusal.text).toContain('--help');
    }
  });

  it('runs with the defaults where nothing is said', () => {
    expect(isLastWords(read([]))).toBe(false);
  });
});

it('the bench refuses a part that there is none of, and names those that there are', () => {
  expect(benchOptions(['--only', 'http,no-such'])).toEqual({
    text: expect.stringMatching(/--only takes http, .*watch/) as string,
    exitCode: 2,
  });
});
