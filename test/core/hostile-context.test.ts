/** What forged events can make a context keep, say and lose: bounded over all origins, never at the cost of live peers (I7, I19). */
import fc from 'fast-check';
import type { ContextOptions } from '../../src/core/causal-context';
import { CausalContext } from '../../src/core/causal-context';
import { parseContext, parseCut, parseLevels } from '../../src/core/snapshot-merge';
import { SeqSet } from '../../src/core/seq-set';
import { contextOptions } from '../../src/replication/limits';
import { equal, same } from '../support/same';
import { runs } from '../support/size';

const NOW = 1_700_000_000_000_000;
const REAL = contextOptions({ expireAfterUs: 600_000_000, finishedRetentionUs: 60_000_000 });
/** What a peer takes as a status. */
const MOST_BYTES = 2 * 1024 * 1024;

function setOf(...seqs: number[]): SeqSet {
  const set = new SeqSet();
  for (const seq of seqs) set.add(seq);
  return set;
}

/** What the bounds are about, counted anew. */
function excessOf(context: CausalContext): number {
  let excess = 0;
  for (const { seen, givenUp, levels } of context['origins'].values()) {
    let held = seen.intervalCount + givenUp.intervalCount;
    for (const ofLevel of levels?.values() ?? []) held += 1 + ofLevel.intervalCount;
    excess += Math.max(0, held - 2);
  }
  return excess;
}

describe('A causal context under forged events', () => {
  const OPTIONS: ContextOptions = {
    forgetAfterUs: 1_000,
    maxOrigins: 4,
    maxIntervals: 6,
    maxIntervalsInAll: 8,
  };
  const origin = fc.constantFrom('live', 'own', 'a', 'b', 'c', 'd', 'e');
  const seq = fc.integer({ min: 1, max: 40 });
  const step = fc.record({
    kind: fc.constantFrom(
      'observe',
      'observe',
      'observe',
      'level',
      'announce',
      'give-up',
      'join',
      'forget',
      'protect',
    ),
    origin,
    seq,
    level: fc.integer({ min: 2, max: 12 }),
    passUs: fc.nat({ max: 100 }),
  });

  it('claims only what was seen, keeps within its bounds, and never cuts who is protected while there is a stranger', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const context = new CausalContext(OPTIONS);
        const peer = new CausalContext({ ...OPTIONS, maxOrigins: 100, maxIntervalsInAll: 1_000 });
        const seen = new Map<string, Set<number>>();
        let now = NOW;
        for (const { kind, origin, seq, level, passUs } of steps) {
          now += passUs;
          const before = context['origins'].get('live');
          if (kind === 'observe') {
            context.observe(origin, seq, now, now);
            seen.set(origin, (seen.get(origin) ?? new Set()).add(seq));
          } else if (kind === 'level') context.observeLevel(origin, seq + 50, level, now, now);
          else if (kind === 'announce') context.announce(origin, seq, now, now);
          else if (kind === 'give-up') context.giveUp(origin, context.holesOf(origin));
          else if (kind === 'forget') context.forget(now, 'own');
          else if (kind === 'protect')
            context.protect(new Set(seq % 2 === 0 ? ['own', 'live'] : ['own', 'live', 'e']));
          else {
            peer.observe(origin, seq, now, now);
            seen.set(origin, (seen.get(origin) ?? new Set()).add(seq));
            context.announceAll(peer, 'own', now);
            context.join(peer, 'own', now);
          }
          same(context.excessIntervals, excessOf(context));
          same(context.excessIntervals <= OPTIONS.maxIntervalsInAll, true);
          same(context.originCount <= OPTIONS.maxOrigins, true);
          same(before?.cut === true && context.isProtected('live'), false);
        }
        for (const [origin, entry] of context['origins']) {
          const model = setOf(...(seen.get(origin) ?? []));
          same(entry.seen.minus(model).intervalCount, 0);
          same(context.holesOf(origin).intersect(entry.seen).intervalCount, 0);
        }
        // A peer takes what it says, and knows what is left out.
        const read = CausalContext.fromJSON(parseContext(context.toJSON(), OPTIONS), OPTIONS);
        read.learnLevels(parseLevels(context.levels, OPTIONS));
        read.learnCut(parseCut(context.cut, OPTIONS));
        equal(read.cut.sort(), context.cut.sort());
        equal(read.toJSON(), context.toJSON());
      }),
      { numRuns: runs(500) },
    );
  });

  it('keeps what it knows of live peers, and of older strangers, while 300 new origins leave 1,024 gaps each', () => {
    const context = new CausalContext(REAL);
    context.protect(new Set(['live']));
    // One that died lately, and one that lives: both have lost something.
    for (const seq of [1, 2, 5, 6, 9]) context.observe('dead', seq, NOW, NOW);
    context.observe('live', 1, NOW, NOW);
    for (let gap = 0; gap < 1_024; gap++) {
      for (let i = 0; i < 300; i++) context.observe(`forged-${i}`, 2 * gap + 2, NOW, NOW);
      if (gap % 100 === 0) context.observe('live', 3 + gap, NOW, NOW);
    }
    expect(context.holesOf('dead').toJSON()).toEqual([3, 4, 7, 8]);
    expect(context.holesOf('live').count).toBe(1_003 - 12);
    expect(context.excessIntervals).toBeLessThanOrEqual(REAL.maxIntervalsInAll);
    expect(context.cutOff.origins).toBeGreaterThan(250);
    expect(JSON.stringify(context.toJSON()).length).toBeLessThan(MOST_BYTES / 4);
  });

  it('has room for a live peer while new origins come without end', () => {
    const context = new CausalContext(REAL);
    context.announce('own', 0, NOW, NOW);
    for (let i = 0; i < 40_000; i++) context.observe(`forged-${i}`, 7, NOW, NOW);
    expect([context.originCount, context.cutOff.untracked > 30_000]).toEqual([REAL.maxOrigins, true]);
    expect(context.observe('late', 3, NOW, NOW)).toBe(false);
    context.protect(new Set(['own', 'late']));
    expect(context.observe('late', 3, NOW, NOW)).toBe(true);
    expect([context.originCount, context.holesOf('late').toJSON()]).toEqual([REAL.maxOrigins, [1, 2]]);
  });

  it('tracks an origin that was cut again from the moment on that it is known to live', () => {
    const context = new CausalContext({ ...OPTIONS, maxIntervalsInAll: 1 });
    for (const seq of [2, 4, 6, 8]) context.observe('x', seq, NOW, NOW);
    expect([context.cut, context.holesOf('x').count]).toEqual([['x'], 0]);
    context.protect(new Set(['x']));
    context.observe('x', 11, NOW, NOW);
    expect([context.cut, context.holesOf('x').toJSON()]).toEqual([[], [9, 10]]);
  });

  it('fits into a status, whatever was forged: the longest names, the largest numbers, and levels', () => {
    const context = new CausalContext(REAL);
    const top = Number.MAX_SAFE_INTEGER;
    for (let i = 0; i < REAL.maxOrigins; i++) {
      const name = String(i).padStart(64, 'x');
      for (let gap = 0; gap < 6; gap++) context.observe(name, top - 2 * gap, NOW, NOW);
      for (let level = 2; level < 20; level++) context.observeLevel(name, top - 100 - level, level, NOW, NOW);
    }
    const said = { context: context.toJSON(), levels: context.levels, cut: context.cut };
    expect(JSON.stringify(said).length).toBeLessThan(MOST_BYTES - 10_000);
  });
});
