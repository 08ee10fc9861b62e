/** Builds the prefix cache, where it is switched on. */
import type { Bus } from '../bus/bus';
import { CacheIndex } from '../cache/cache-index';
import { PrefixCache } from '../cache/prefix-cache';
import { prefixHashesOf } from '../cache/prefix-hashes';
import type { CachedChunks } from '../replication/selector';
import type { Config } from '../config/config';
import { cacheSubjects } from '../wire/subjects';

export function createPrefixCache(
  { cache, load, subjectPrefix }: Config,
  bus: Bus,
  nowUs: () => number,
  randomBytes: (size: number) => Buffer,
): PrefixCache | undefined {
  if (!cache.on) return undefined;
  const key = randomBytes(8);
  const index = new CacheIndex({
    ttlUs: cache.ttlMs * 1000,
    aheadUs: load.finishedRetentionMs * 1000,
    maxEntries: cache.maxEntries,
    maxHolders: load.maxEngines,
    key: [key.readInt32LE(0), key.readInt32LE(4)],
  });
  const origin = randomBytes(12).toString('base64url');
  return new PrefixCache(index, bus, nowUs, { origin, subjects: cacheSubjects(subjectPrefix) });
}

/** What a choice of an engine asks of the cache: the chunks of a prompt that each engine holds. */
export function cachedChunksOf(index: CacheIndex, nowUs: () => number): CachedChunks {
  return (cluster, promptHash) => {
    const locations = index.locations(cluster, prefixHashesOf(promptHash), Infinity, nowUs());
    return new Map(locations.map(({ ip, length }) => [ip, length]));
  };
}
