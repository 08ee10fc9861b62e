/** The choice against a naive one, and how the share of a replica decides what it looks at. */
import fc from 'fast-check';
import { addressOf } from '../../src/core/engine-stats';
import {
  type Candidate,
  chooseEngine,
  consideredOf,
  engineHash,
  seedsOf,
} from '../../src/core/engine-choice';
import { RecentAdds } from '../../src/core/recent-adds';

const ipOf = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;

const candidates = fc
  .uniqueArray(
    fc.record({
      n: fc.nat(2_000),
      queued: fc.nat(5),
      prompt: fc.constantFrom(0, 128, 256, 1_000),
      credit: fc.constantFrom(undefined, 0, -128, 128, 2 ** 31 - 1),
    }),
    { selector: ({ n }) => n, maxLength: 300, size: 'max' },
  )
  .map((list) =>
    list.map(({ n, queued, prompt, credit }): Candidate => ({
      ip: ipOf(n),
      address: addressOf(ipOf(n)),
      queuedRequests: queued,
      promptLength: prompt,
      ...(credit !== undefined && { credit }),
    })),
  );
const rules = fc.record({
  requestCost: fc.constantFrom(0, 1, 128),
  maxQueued: fc.constantFrom(0, 1, 3, Infinity),
  maxPromptLength: fc.constantFrom(200, Infinity),
  ownShare: fc.double({ min: 0.001, max: 1, noNaN: true }),
});

describe('the choice', () => {
  it('is that of a naive one that sorts everything, and looks at max(2, n times the own share)', () => {
    fc.assert(
      fc.property(candidates, fc.string(), rules, (engines, id, r) => {
        const hashOf = (engine: Candidate): number => engineHash(seedsOf(id), engine.address);
        const costOf = (e: Candidate): number =>
          e.promptLength + r.requestCost * e.queuedRequests - (e.credit ?? 0);
        const open = engines.filter(
          (e) => e.queuedRequests < r.maxQueued && e.promptLength < r.maxPromptLength,
        );
        const d = Math.min(open.length, Math.max(2, Math.ceil(open.length * r.ownShare)));
        const seen = [...open].sort((a, b) => hashOf(a) - hashOf(b)).slice(0, d);
        const [best] = seen.sort((a, b) => costOf(a) - costOf(b) || hashOf(a) - hashOf(b));
        expect(chooseEngine(engines, id, r)).toEqual(best && { ip: best.ip, considered: d });
      }),
    );
  });

  it('does not depend on the order of the candidates', () => {
    fc.assert(
      fc.property(candidates, fc.string(), rules, (engines, id, r) => {
        expect(chooseEngine([...engines].reverse(), id, r)).toEqual(chooseEngine(engines, id, r));
      }),
    );
  });

  it('spreads requests evenly over equal engines, whatever the subset', () => {
    const engines = Array.from({ length: 16 }, (_, i): Candidate => {
      const ip = ipOf(i);
      return { ip, address: addressOf(ip), queuedRequests: 0, promptLength: 0, credit: 0 };
    });
    for (const ownShare of [0.1, 0.5, 1]) {
      const counts = new Map<string, number>();
      for (let i = 0; i < 16_000; i++) {
        const choice = chooseEngine(engines, `request-${i}`, {
          requestCost: 128,
          maxQueued: Infinity,
          maxPromptLength: Infinity,
          ownShare,
        })!;
        counts.set(choice.ip, (counts.get(choice.ip) ?? 0) + 1);
      }
      expect(Math.max(...counts.values())).toBeLessThan(1_200);
      expect(Math.min(...counts.values())).toBeGreaterThan(800);
    }
  });

  it('gives every engine a hash of its own', () => {
    const seeds = seedsOf('any');
    const hashes = new Set(Array.from({ length: 100_000 }, (_, i) => engineHash(seeds, i)));
    expect(hashes.size).toBe(100_000);
  });
});

describe('the share of a replica', () => {
  it('is 1 where all adds of a cluster are its own, and its part where others have some', () => {
    const adds = new RecentAdds();
    expect(adds.ownShare(0)).toBe(1);
    for (let i = 0; i < 99; i++) adds.accepted(0);
    expect(adds.ownShare(0)).toBe(1);
    for (let i = 0; i < 300; i++) adds.heard(0);
    expect(adds.ownShare(0)).toBe(0.25);
    expect(consideredOf(32, 0.25)).toBe(8);
    expect(consideredOf(32, 0.001)).toBe(2);
    expect(consideredOf(1, 0.001)).toBe(1);
  });

  it('forgets by 1/e in a second, and does not mind a clock that stands', () => {
    const adds = new RecentAdds();
    for (let i = 0; i < 1_000; i++) adds.heard(5);
    expect(adds.ownShare(1_000_005)).toBeCloseTo(1 / (1 + 1_000 / Math.E), 10);
    expect(adds.ownShare(0)).toBeCloseTo(1 / (1 + 1_000 / Math.E), 10);
    expect(adds.ownShare(60_000_005)).toBeCloseTo(1, 10);
  });
});
