/** Builds the prefix cache, where it is switched on. */
import type { Bus } from '../bus/bus';
import { CacheIndex } from '../cache/cache-index';
import { PrefixCache } from '../cache/prefix-cache';
import type { Config } from '../config/config';
import { cacheSubjects } from '../wire/subjects';

export function createPrefixCache(
  { cache, load, subjectPrefix }: Config,
  origin: string,
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
  return new PrefixCache(index, bus, nowUs, { origin, subjects: cacheSubjects(subjectPrefix) });
}
