import fc from 'fast-check';
import { CacheIndex, MAX_ENGINES_PER_HASH, type CacheOptions } from '../../src/cache/cache-index';
import { prefixHashesOf } from '../../src/cache/prefix-hashes';
import { equal } from '../support/same';
import { runs } from '../support/size';
import { type Happening, NaiveIndex } from './naive-index';

const SECOND = 1_000_000;
const T0 = 1_700_000_000 * SECOND;
const TTL = 600 * SECOND;
const AHEAD = 60 * SECOND;
/** Of the horizon: the time to live and what may be ahead, in 65,534 parts. */
const BUCKET = Math.ceil((TTL + AHEAD) / 65_534);

const OPTIONS: CacheOptions = {
  ttlUs: TTL,
  aheadUs: AHEAD,
  maxEntries: 1_000,
  maxHolders: 1_000,
  key: [0x0123_4567, -0x7654_3211],
};
const CLUSTERS = ['llama', 'qwen3.service'];
const IPS = ['10.0.0.2', '10.0.0.10', '9.255.0.1', '10.0.1.1'];
/** Few, so that they meet; with halves that are alike. */
const HASHES = [0n, 1n, 2n ** 64n - 1n, 2n ** 32n, 12873452398745623487n, 2n ** 63n, 42n];

const index = (options: Partial<CacheOptions> = {}): CacheIndex => new CacheIndex({ ...OPTIONS, ...options });
const naive = (events: readonly Happening[], nowUs: number, maxEntries = OPTIONS.maxEntries): NaiveIndex =>
  new NaiveIndex(events, nowUs, {
    ttlUs: TTL,
    maxEntries,
    bucketUs: BUCKET,
    maxEngines: MAX_ENGINES_PER_HASH,
  });

function apply(cache: CacheIndex, event: Happening, nowUs: number): string {
  return event.kind === 'save'
    ? cache.save(event.cluster, event.ip, prefixHashesOf(event.hashes), event.timeUs, nowUs)
    : cache.clear(event.cluster, event.ip, event.timeUs, nowUs);
}

/** The same events in an order that `seed` decides, some of them twice. */
function shuffled(events: readonly Happening[], seed: number): Happening[] {
  const keyOf = (i: number): number => Math.imul(i + 1, seed | 1) >>> 0;
  const twice = events.filter((_event, i) => keyOf(i) % 3 === 0);
  return [...events, ...twice]
    .map((event, i) => ({ event, key: keyOf(i) }))
    .sort((a, b) => a.key - b.key)
    .map(({ event }) => event);
}

/** Within an hour, often at the same moment. */
const timeUs = fc.oneof(
  fc.integer({ min: 0, max: 6 }).map((n) => T0 + n * BUCKET),
  fc.integer({ min: -300, max: 59 }).map((n) => T0 + n * SECOND),
);
const save = fc.record({
  kind: fc.constant('save' as const),
  cluster: fc.constantFrom(...CLUSTERS),
  ip: fc.constantFrom(...IPS),
  hashes: fc.array(fc.constantFrom(...HASHES), { minLength: 1, maxLength: 5 }),
  timeUs,
});
const clear = fc.record({
  kind: fc.constant('clear' as const),
  cluster: fc.constantFrom(...CLUSTERS, undefined),
  ip: fc.constantFrom(...IPS),
  timeUs,
});
const events = fc.array(fc.oneof({ weight: 3, arbitrary: save }, clear), { maxLength: 40, size: 'max' });
const prompt = fc.array(fc.constantFrom(...HASHES), { maxLength: 6 });

/** Whether it is full often, rarely or never. */
const limits = fc.record({
  topk: fc.integer({ min: 1, max: 5 }),
  maxEntries: fc.constantFrom(1, 3, 7, 12, 1_000),
});

/** All that can be seen of it, as text. */
function shownBy(of: CacheIndex | NaiveIndex, hashes: readonly bigint[], topk: number, nowUs = 0): string {
  const locations = CLUSTERS.map((cluster) =>
    of instanceof CacheIndex
      ? of.locations(cluster, prefixHashesOf(hashes), topk, nowUs)
      : of.locations(cluster, hashes, topk),
  );
  return JSON.stringify({ locations, size: of.size, horizonUs: of.horizonUs });
}

describe('The index of the prefix cache', () => {
  it('I15: answers what a naive recount of the events says, in whatever order they came, and how often; so does a full one, with the same horizon', () => {
    fc.assert(
      fc.property(events, fc.nat(), prompt, limits, (happenings, seed, hashes, { topk, maxEntries }) => {
        const cache = index({ maxEntries });
        for (const event of shuffled(happenings, seed)) apply(cache, event, T0);
        // Time passes also where nothing comes.
        cache.sweep(T0, 0);
        const found = shownBy(cache, hashes, topk, T0);
        expect(found).toBe(shownBy(naive(happenings, T0, maxEntries), hashes, topk));
      }),
      { numRuns: runs(2_000) },
    );
  });

  it('I15: goes on to do so while time passes, entries expire, and places, engines and clears are swept', () => {
    const step = fc.record({
      event: fc.oneof({ weight: 3, arbitrary: save }, clear),
      after: fc.integer({ min: 0, max: 250 }),
      sweep: fc.boolean(),
    });
    const steps = fc.array(step, { maxLength: 25, size: 'max' });
    fc.assert(
      fc.property(steps, prompt, limits, (happenings, hashes, { topk, maxEntries }) => {
        const cache = index({ maxEntries });
        const events: Happening[] = [];
        let now = T0;
        for (const { event, after, sweep } of happenings) {
          now += after * SECOND;
          const happened = { ...event, timeUs: event.timeUs - T0 + now };
          events.push(happened);
          const outcome = apply(cache, happened, now);
          if (sweep) cache.sweep(now, 3);
          const found = shownBy(cache, hashes, topk, now);
          const expected = shownBy(naive(events, now, maxEntries), hashes, topk);
          equal([outcome, found], ['applied', expected]);
        }
      }),
      { numRuns: runs(600) },
    );
  });

  it(`I15: remembers the newest ${MAX_ENGINES_PER_HASH} engines of a hash, also where one of them was cleared before it was saved`, () => {
    const engines = fc.uniqueArray(fc.integer({ min: 1, max: 90 }), { minLength: 60, maxLength: 90 });
    fc.assert(
      fc.property(engines, fc.nat(), fc.integer({ min: 1, max: 90 }), (numbers, seed, cleared) => {
        const happenings: Happening[] = numbers.map((n) => ({
          kind: 'save',
          cluster: 'llama',
          ip: `10.0.0.${n}`,
          hashes: [42n],
          timeUs: T0 + (n % 7),
        }));
        happenings.push({ kind: 'clear', cluster: 'llama', ip: `10.0.0.${cleared}`, timeUs: T0 + 8 });
        const cache = index();
        for (const event of shuffled(happenings, seed)) apply(cache, event, T0);
        expect(cache.locations('llama', prefixHashesOf([42n]), 100, T0)).toEqual(
          naive(happenings, T0).locations('llama', [42n], 100),
        );
      }),
      { numRuns: runs(60) },
    );
  });

  it('an engine that saves again after all that it had has expired is found', () => {
    const cache = index();
    cache.save('llama', '10.0.0.1', prefixHashesOf([1n]), T0, T0);
    const later = T0 + 2 * TTL;
    cache.save('llama', '10.0.0.1', prefixHashesOf([2n, 3n]), later, later);
    expect(cache.locations('llama', prefixHashesOf([2n, 3n]), 9, later)).toEqual([
      { ip: '10.0.0.1', length: 2 },
    ]);
  });

  it.each([
    ['older than the time to live', T0 - TTL, 'expired'],
    ['further ahead than the retention', T0 + AHEAD + 1, 'ahead'],
  ])('I8: what is %s changes nothing', (_which, at, outcome) => {
    const cache = index();
    cache.save('llama', '10.0.0.1', prefixHashesOf([1n]), T0 - 5, T0);
    expect(cache.save('llama', '10.0.0.2', prefixHashesOf([1n]), at, T0)).toBe(outcome);
    expect(cache.clear('llama', '10.0.0.1', at, T0)).toBe(outcome);
    expect(cache.clear(undefined, '10.0.0.1', at, T0)).toBe(outcome);
    expect(cache.locations('llama', prefixHashesOf([1n]), 9, T0)).toEqual([{ ip: '10.0.0.1', length: 1 }]);
  });

  it('I7: takes no more engines and clears than allowed, and takes others when those have gone', () => {
    const cache = index({ maxHolders: 2 });
    const hashes = prefixHashesOf([1n]);
    const at = (n: number, now: number): string[] => [
      cache.save('llama', `10.0.0.${n}`, hashes, now, now),
      cache.clear(undefined, `10.0.0.${n}`, now, now),
    ];
    expect([at(1, T0), at(2, T0), at(3, T0)]).toEqual([
      ['applied', 'applied'],
      ['applied', 'applied'],
      ['full', 'full'],
    ]);
    const later = T0 + TTL + SECOND;
    for (let i = 0; i < 4; i++) cache.sweep(later, 1);
    expect(at(3, later)).toEqual(['applied', 'applied']);
  });

  it('I7: what has gone is taken out evenly: no more than three entries for each that comes in, and there is always room', () => {
    const maxEntries = 4_000;
    const cache = index({ maxEntries });
    let hash = 0n;
    let now = T0;
    const saveOne = (ip: string): void => {
      now += BUCKET;
      equal(cache.save('llama', ip, prefixHashesOf([hash++]), now, now), 'applied');
    };
    for (let i = 0; i < maxEntries; i++) saveOne('10.0.0.1');
    const first = [...cache.clearsAndEntries(() => now)].flatMap((item) =>
      'holder' in item ? [item.holder] : [],
    )[0]!;
    let most = 0;
    // The holder's places come free in the order in which they were taken, a stretch at a time.
    for (let i = 0; i < 2 * maxEntries; i++) {
      const before = first.entries;
      saveOne('10.0.0.2');
      most = Math.max(most, before - first.entries);
    }
    equal(first.entries, 0);
    equal(most, 3);
    equal(cache.size, maxEntries);
  });

  it('what a gateway saves is later than every clear that is known, and a clear no earlier than what it clears', () => {
    const cache = index();
    const hashes = prefixHashesOf([1n]);
    // The other replicas' clocks are ahead.
    cache.save('llama', '10.0.0.1', hashes, T0 + 7, T0);
    expect(cache.timeOfClear('llama', '10.0.0.1', T0)).toBe(T0 + 7);
    expect(cache.timeOfClear(undefined, '10.0.0.1', T0)).toBe(T0 + 7);
    expect(cache.timeOfClear('qwen', '10.0.0.1', T0)).toBe(T0);
    cache.clear('llama', '10.0.0.1', T0 + 9, T0);
    cache.clear(undefined, '10.0.0.2', T0 + 5, T0);
    expect(cache.timeOfSave('llama', '10.0.0.1', T0)).toBe(T0 + 10);
    expect(cache.timeOfSave('llama', '10.0.0.2', T0)).toBe(T0 + 6);
    expect(cache.timeOfSave('llama', '10.0.0.3', T0)).toBe(T0);
  });

  it('what a joining replica is shown makes an index that answers alike', () => {
    fc.assert(
      fc.property(events, prompt, fc.integer({ min: 1, max: 12 }), (happenings, hashes, maxEntries) => {
        const cache = index({ maxEntries });
        for (const event of happenings) apply(cache, event, T0);
        const joiner = index({ maxEntries, key: [1, 2] });
        for (const shown of cache.clearsAndEntries(() => T0)) {
          if ('holder' in shown) {
            const { holder, hi, lo, timeUs: savedUs } = shown;
            joiner.save(holder.cluster, holder.ip, Int32Array.of(hi, lo), savedUs, T0);
          } else joiner.clear(shown.cluster, shown.ip, shown.clearedUs, T0);
        }
        const answer = (of: CacheIndex): unknown =>
          CLUSTERS.map((cluster) => of.locations(cluster, prefixHashesOf(hashes), 9, T0));
        expect(answer(joiner)).toEqual(answer(cache));
        expect(joiner.size).toBe(cache.size);
      }),
      { numRuns: runs(500) },
    );
  });
});
