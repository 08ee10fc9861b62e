/** The index as lines from one replica to another: I15, half of them harmless, and what is broken is noticed. */
import { CacheIndex } from '../../src/cache/cache-index';
import { cacheLines, CacheMerge } from '../../src/cache/cache-transfer';
import { prefixHashesOf } from '../../src/cache/prefix-hashes';

const T0 = 1_700_000_000_000_000;
const now = (): number => T0;

const index = (): CacheIndex =>
  new CacheIndex({ ttlUs: 600e6, aheadUs: 60e6, maxEntries: 1_000, maxHolders: 3, key: [1, 2] });

function filled(): CacheIndex {
  const cache = index();
  cache.save('llama', '10.0.0.1', prefixHashesOf([1n, 2n, 3n]), T0 - 5, T0);
  cache.save('llama', '10.0.0.2', prefixHashesOf([1n, 2n]), T0 - 4, T0);
  cache.save('qwen', '10.0.0.1', prefixHashesOf([1n]), T0 - 3, T0);
  cache.clear('llama', '10.0.0.2', T0 - 2, T0);
  cache.clear(undefined, '10.0.0.9', T0 - 1, T0);
  return cache;
}

it('I15: makes an index that answers alike, and says when it is whole; each part of it makes one that never answers more', () => {
  const lines = [...cacheLines(filled(), now)];
  for (let count = 0; count <= lines.length; count++) {
    const joiner = index();
    const merge = new CacheMerge(joiner, now);
    for (const line of lines.slice(0, count)) merge.line(line);
    expect(merge.complete).toBe(count === lines.length);
    const ips = joiner.locations('llama', prefixHashesOf([1n, 2n, 3n]), 9, T0).map(({ ip }) => ip);
    // The clears come first, so that no engine that was cleared is answered meanwhile.
    expect(ips).not.toContain('10.0.0.2');
    expect(ips).toEqual(ips.length === 0 && count < lines.length ? [] : ['10.0.0.1']);
  }
});

it('a kind of a later version is passed over', () => {
  const merge = new CacheMerge(index(), now);
  for (const line of ['{"cache":1}', '["later",1,2]', '["end"]']) merge.line(line);
  expect(merge.complete).toBe(true);
});

it.each([
  [['{"cache":2}'], 'not a cache of this version'],
  [['[]'], 'not a cache of this version'],
  [['{"cache":1}', '{}'], 'is no array'],
  [['{"cache":1}', 'x'], 'JSON'],
  [['{"cache":1}', `["${'x'.repeat(5_000)}"]`], 'too long'],
  [['{"cache":1}', '["clear","c","10.0.0",1]'], 'a bad clear'],
  [['{"cache":1}', '["clear",7,"10.0.0.1",1]'], 'a bad clear'],
  [['{"cache":1}', '["holder",0,"","10.0.0.1"]'], 'a bad holder'],
  [['{"cache":1}', '["entry",0,1,"000000000000002a"]'], 'a bad entry'],
  [['{"cache":1}', '["holder",0,"c","10.0.0.1"]', '["entry",0,1,"2a"]'], 'a bad entry'],
  [['{"cache":1}', '["holder",0,"c","10.0.0.1"]', '["entry",0,-1,"000000000000002a"]'], 'a bad entry'],
  [['{"cache":1}', ...[1, 2, 3, 4].map((n) => `["holder",${n},"c","10.0.0.${n}"]`)], 'too many holders'],
])('I7 I8: %j is refused: %s', (lines, why) => {
  const joiner = index();
  const merge = new CacheMerge(joiner, now);
  expect(() => {
    for (const line of lines) merge.line(line);
  }).toThrow(why);
  expect(joiner.size).toBe(0);
});
