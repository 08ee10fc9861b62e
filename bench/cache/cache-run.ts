/** Measures the index of the prefix cache; run as a process with `--expose-gc`, says what it measured as JSON on stdout. */
import { decodeCacheEvent, encodeCacheEvent } from '../../src/cache/cache-events';
import { CacheIndex } from '../../src/cache/cache-index';
import { type PrefixHashes, prefixHashesOf } from '../../src/cache/prefix-hashes';
import { CLUSTER, engineOf, promptHash } from '../load/requests';

export interface CacheMeasures {
  /** Of a full index, with all that it has. */
  readonly bytesPerEntry: number;
  /** Each of the next per hash, of prompts of 64; saves into a full index, where each new entry ends an old one. */
  readonly saveNs: number;
  readonly knownNs: number;
  readonly hitNs: number;
  readonly missNs: number;
  readonly encodeNs: number;
  readonly decodeNs: number;
}

const CHUNKS = 64;
const ENGINES = 16;
const MAX_ENTRIES = 1_000_000;
/** Prompts of one timed batch, and batches: the first ones are for the compiler. */
const PROMPTS = 500;
const BATCHES = 9;
const START_US = 1_700_000_000_000_000;
/** Between two saves, as 500 a second come. */
const STEP_US = 2_000;
const TTL_US = 2_400_000_000;

function main(): CacheMeasures {
  const emptyBytes = usedBytes();
  const index = new CacheIndex({
    ttlUs: TTL_US,
    aheadUs: 60_000_000,
    maxEntries: MAX_ENTRIES,
    maxHolders: 100_000,
    key: [0x0123_4567, -0x7654_3211],
  });
  let count = 0;
  let now = START_US;
  const promptOf = (number: number): PrefixHashes =>
    prefixHashesOf(Array.from({ length: CHUNKS }, (_, i) => promptHash(number * CHUNKS + i)));
  const saveOf = (number: number, hashes: PrefixHashes): void => {
    now += STEP_US;
    index.save(CLUSTER, engineOf(number % ENGINES), hashes, now, now);
  };
  // Twice as many as it holds: the places of those that have gone count too.
  for (; count * CHUNKS < 2 * MAX_ENTRIES; count++) saveOf(count, promptOf(count));
  const bytesPerEntry = (usedBytes() - emptyBytes) / index.size;

  const prompts = (first: number): { number: number; hashes: PrefixHashes }[] =>
    Array.from({ length: PROMPTS }, (_, i) => ({ number: first + i, hashes: promptOf(first + i) }));
  const saveNs: number[] = [];
  const knownNs: number[] = [];
  const hitNs: number[] = [];
  const missNs: number[] = [];
  const encodeNs: number[] = [];
  const decodeNs: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const fresh = prompts(count);
    count += PROMPTS;
    const unknown = prompts(2 ** 40 + batch * PROMPTS);
    saveNs.push(nsEach(fresh, ({ number, hashes }) => saveOf(number, hashes)));
    knownNs.push(
      nsEach(fresh, ({ number, hashes }) =>
        index.notFresh(CLUSTER, engineOf(number % ENGINES), hashes, TTL_US / 4, now),
      ),
    );
    hitNs.push(nsEach(fresh, ({ hashes }) => index.locations(CLUSTER, hashes, 10, now)));
    missNs.push(nsEach(unknown, ({ hashes }) => index.locations(CLUSTER, hashes, 10, now)));
    const payloads: Buffer[] = [];
    encodeNs.push(
      nsEach(fresh, ({ number, hashes }) =>
        payloads.push(
          encodeCacheEvent({
            type: 'cache-save',
            origin: 'benchmark-origin',
            seq: number + 1,
            timeUs: now,
            cluster: CLUSTER,
            ip: engineOf(number % ENGINES),
            hashes,
          }),
        ),
      ),
    );
    decodeNs.push(nsEach(payloads, decodeCacheEvent));
  }
  if (index.size < MAX_ENTRIES * 0.9) throw new Error(`the index has ${index.size} entries`);
  return {
    bytesPerEntry,
    saveNs: middle(saveNs),
    knownNs: middle(knownNs),
    hitNs: middle(hitNs),
    missNs: middle(missNs),
    encodeNs: middle(encodeNs),
    decodeNs: middle(decodeNs),
  };
}

/** Per hash. CPU time and not time passed: a busy machine takes the CPU away in the middle of anything. */
function nsEach<T>(prompts: readonly T[], work: (prompt: T) => unknown): number {
  const before = process.cpuUsage();
  for (const prompt of prompts) work(prompt);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / prompts.length / CHUNKS;
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

function usedBytes(): number {
  globalThis.gc!();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

process.stdout.write(JSON.stringify(main()));
