/** Several prefix caches that hear each other late, in any order and twice, on clocks of their own: I15, and I5 at each of them. */
import fc from 'fast-check';
import type { Bus } from '../../src/bus/bus';
import { CacheIndex, MAX_ENGINES_PER_HASH } from '../../src/cache/cache-index';
import { type CacheEvent, decodeCacheEvent } from '../../src/cache/cache-events';
import { PrefixCache } from '../../src/cache/prefix-cache';
import { prefixHashesOf } from '../../src/cache/prefix-hashes';
import { equal, same } from '../support/same';
import { runs } from '../support/size';
import { until } from '../support/until';
import { type Happening, NaiveIndex } from './naive-index';

const SECOND = 1_000_000;
const T0 = 1_700_000_000 * SECOND;
const TTL = 600 * SECOND;
const AHEAD = 60 * SECOND;

interface Message {
  readonly subject: string;
  readonly payload: Uint8Array;
}

/** One whose clock is set, and whose bus keeps what it is given. */
function prefixCache(
  name: string,
  clock: { nowUs: number },
  maxEntries = 1_000,
): {
  cache: PrefixCache;
  sent: Message[];
} {
  const sent: Message[] = [];
  const bus: Bus = {
    connected: true,
    reason: '',
    alone: false,
    start: () => undefined,
    publish: (subject, payload) => sent.push({ subject, payload }) > 0,
    whenWritten: (callback) => callback(),
    stop: () => Promise.resolve(),
  };
  const index = new CacheIndex({ ttlUs: TTL, aheadUs: AHEAD, maxEntries, maxHolders: 1_000, key: [1, 2] });
  const subjects = { save: 'p.cache.save', clear: 'p.cache.clear' };
  return { cache: new PrefixCache(index, bus, () => clock.nowUs, { origin: name, subjects }), sent };
}

const CLUSTERS = ['llama', 'qwen3.service'];
const IPS = ['10.0.0.2', '10.0.0.10', '9.255.0.1'];
const HASHES = [0n, 1n, 2n ** 64n - 1n, 12873452398745623487n];

describe('Prefix caches that hear each other', () => {
  it('I5 I15: a save is found at once where it was made, a clear hides all that its replica knew, and all agree with the events told when they have heard them', () => {
    const replica = fc.nat({ max: 2 });
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('save' as const),
        replica,
        cluster: fc.constantFrom(...CLUSTERS),
        ip: fc.constantFrom(...IPS),
        hashes: fc.array(fc.constantFrom(...HASHES), { minLength: 1, maxLength: 4 }),
      }),
      fc.record({
        kind: fc.constant('clear' as const),
        replica,
        cluster: fc.constantFrom(...CLUSTERS, undefined),
        ip: fc.constantFrom(...IPS),
      }),
      fc.record({ kind: fc.constant('hear' as const), replica, which: fc.nat(), again: fc.boolean() }),
      fc.record({ kind: fc.constant('wait' as const), us: fc.constantFrom(1, SECOND, 149 * SECOND) }),
    );
    const skews = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), skews, fc.nat(), (steps, skew, seed) => {
        const clocks = skew.map((seconds) => ({ nowUs: T0 + seconds * SECOND }));
        const replicas = clocks.map((clock, i) => prefixCache(`replica-${i}`, clock));
        const told: Uint8Array[] = [];
        const heard = replicas.map(() => new Set<Uint8Array>());
        const find = (at: number, cluster: string, hashes: readonly bigint[]): string[] =>
          replicas[at]!.cache.locations(cluster, prefixHashesOf(hashes), 9).map(
            ({ ip, length }) => `${ip} ${length}`,
          );
        for (const step of steps) {
          if (step.kind === 'wait') for (const clock of clocks) clock.nowUs += step.us;
          else if (step.kind === 'hear') {
            const payload = told[step.which % Math.max(1, told.length)];
            if (!payload || (heard[step.replica]!.has(payload) && !step.again)) continue;
            heard[step.replica]!.add(payload);
            replicas[step.replica]!.cache.receive(payload);
          } else {
            const { cache, sent } = replicas[step.replica]!;
            const { cluster, ip } = step;
            if (step.kind === 'save') {
              same(cache.save(step.cluster, ip, prefixHashesOf(step.hashes)), 'applied');
              same(
                find(step.replica, step.cluster, step.hashes).includes(`${ip} ${step.hashes.length}`),
                true,
              );
            } else {
              same(cache.clear(cluster, ip), 'applied');
              for (const each of cluster === undefined ? CLUSTERS : [cluster])
                for (const hash of HASHES)
                  same(
                    find(step.replica, each, [hash]).some((found) => found.startsWith(`${ip} `)),
                    false,
                  );
            }
            told.push(...sent.splice(0).map(({ payload }) => payload));
          }
        }
        const rest = [...told].sort(
          (a, b) => (Math.imul(a.length, seed | 1) % 97) - (Math.imul(b.length, seed | 1) % 97),
        );
        const nowUs = Math.max(...clocks.map((clock) => clock.nowUs));
        replicas.forEach(({ cache }, i) => {
          clocks[i]!.nowUs = nowUs;
          for (const payload of rest) cache.receive(payload);
          equal(
            [...cache.dropped.keys()].filter((reason) => reason !== 'expired'),
            [],
          );
        });
        const oracle = new NaiveIndex(told.map(happening), nowUs, {
          ttlUs: TTL,
          maxEntries: 1_000,
          bucketUs: Math.ceil((TTL + AHEAD) / 65_534),
          maxEngines: MAX_ENGINES_PER_HASH,
        });
        for (const cluster of CLUSTERS) {
          const expected = oracle.locations(cluster, HASHES, 9).map(({ ip, length }) => `${ip} ${length}`);
          for (const at of [0, 1, 2]) equal(find(at, cluster, HASHES), expected);
        }
      }),
      { numRuns: runs(1_500) },
    );
  });

  it('a hash that an engine holds, younger than a quarter of the time to live, is neither told nor raised again; the next turn is one small event', () => {
    const clock = { nowUs: T0 };
    const { cache, sent } = prefixCache('a', clock);
    const hashes = Array.from({ length: 64 }, (_, i) => BigInt(i));
    const save = (values: readonly bigint[]): CacheEvent[] => {
      cache.save('llama', '10.0.0.1', prefixHashesOf(values));
      return sent.splice(0).map(({ payload }) => decodeCacheEvent(payload) as CacheEvent);
    };
    expect(save(hashes)).toMatchObject([{ seq: 1, timeUs: T0 }]);
    clock.nowUs = T0 + TTL / 4 - 1;
    expect(save([...hashes, 64n, 65n])).toMatchObject([
      { seq: 2, timeUs: clock.nowUs, hashes: prefixHashesOf([64n, 65n]) },
    ]);
    // Another engine, and another cluster, hold nothing yet.
    cache.save('llama', '10.0.0.2', prefixHashesOf(hashes));
    cache.save('qwen', '10.0.0.1', prefixHashesOf(hashes));
    expect(sent.splice(0)).toHaveLength(2);
    clock.nowUs = T0 + TTL - 1;
    expect(cache.locations('llama', prefixHashesOf(hashes), 9)).toHaveLength(2);
    clock.nowUs = T0 + TTL;
    expect(cache.locations('llama', prefixHashesOf(hashes), 9)).toEqual([{ ip: '10.0.0.2', length: 64 }]);
  });

  it('a hash that is a quarter of the time to live old is told again, and lives on everywhere', () => {
    const clock = { nowUs: T0 };
    const { cache, sent } = prefixCache('a', clock);
    const hashes = prefixHashesOf([1n, 2n]);
    cache.save('llama', '10.0.0.1', hashes);
    clock.nowUs = T0 + TTL / 4;
    cache.save('llama', '10.0.0.1', hashes);
    const other = prefixCache('b', clock);
    for (const { payload } of sent) other.cache.receive(payload);
    clock.nowUs = T0 + TTL + TTL / 4 - 1;
    for (const each of [cache, other.cache])
      expect(each.locations('llama', hashes, 9)).toEqual([{ ip: '10.0.0.1', length: 2 }]);
  });

  it('I7: what it tells leaves 64 KiB a turn, so that load events never wait; 8 MiB may wait, and what comes beyond is counted', async () => {
    const { cache, sent } = prefixCache('a', { nowUs: T0 }, 1_000_000);
    const hashes = prefixHashesOf(Array.from({ length: 16_384 }, (_, i) => BigInt(i)));
    const bytesSent = (): number => sent.reduce((sum, { payload }) => sum + payload.length, 0);
    for (let engine = 1; engine <= 40; engine++) cache.save('llama', `10.0.0.${engine}`, hashes);
    expect(bytesSent()).toBeLessThan(64 * 1024 + 16 * 1024);
    const messages = 40 * Math.ceil(16_384 / 700);
    await until(() => cache.counts.published + cache.counts.unpublished === messages, {
      describe: 'all has been told, or counted',
    });
    expect(cache.counts.unpublished).toBeGreaterThan(0);
    expect(sent).toHaveLength(cache.counts.published);
    expect(bytesSent()).toBeGreaterThan(8 * 1024 * 1024);
    expect(bytesSent()).toBeLessThan(8 * 1024 * 1024 + 128 * 1024);
    // It is all found here, told or not.
    expect(cache.locations('llama', hashes, 100)).toHaveLength(40);
  });
});

function happening(payload: Uint8Array): Happening {
  const event = decodeCacheEvent(payload);
  if (typeof event === 'string') throw new Error(event);
  const { cluster, ip, timeUs } = event;
  if (event.type === 'cache-clear') return { kind: 'clear', cluster, ip, timeUs };
  const hashes: bigint[] = [];
  for (let at = 0; at < event.hashes.length; at += 2)
    hashes.push((BigInt(event.hashes[at]! >>> 0) << 32n) | BigInt(event.hashes[at + 1]! >>> 0));
  return { kind: 'save', cluster: event.cluster, ip, timeUs, hashes };
}
