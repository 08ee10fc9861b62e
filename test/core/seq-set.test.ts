import fc from 'fast-check';
import type { OriginJson } from '../../src/core/causal-context';
import { CausalContext } from '../../src/core/causal-context';
import { SeqSet } from '../../src/core/seq-set';
import { same } from '../support/same';
import { runs } from '../support/size';

const LAST = 30;
const seq = fc.integer({ min: 1, max: LAST });
const range = fc.tuple(seq, seq).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
const step = fc.oneof(
  seq.map((at) => ({ kind: 'add' as const, from: at, to: at })),
  range.map(([from, to]) => ({ kind: 'range' as const, from, to })),
);
const steps = fc.array(step, { maxLength: 15 });

function build(list: readonly { kind: 'add' | 'range'; from: number; to: number }[]): {
  set: SeqSet;
  model: Set<number>;
} {
  const set = new SeqSet();
  const model = new Set<number>();
  for (const { kind, from, to } of list) {
    if (kind === 'add') same(set.add(from), !model.has(from));
    else set.addRange(from, to);
    for (let i = from; i <= to; i++) model.add(i);
  }
  return { set, model };
}

/** The one canonical form of a set: ascending, disjoint, non-adjacent intervals. */
function boundsOf(model: ReadonlySet<number>): number[] {
  const bounds: number[] = [];
  for (let i = 1; i <= LAST + 1; i++) {
    if (model.has(i) && !model.has(i - 1)) bounds.push(i);
    if (model.has(i) && !model.has(i + 1)) bounds.push(i);
  }
  return bounds;
}

function isSame(a: CausalContext, b: CausalContext): boolean {
  return a.includes(b, -1) && b.includes(a, -1);
}

describe('SeqSet', () => {
  it('is a set of numbers in its one canonical form', () => {
    fc.assert(
      fc.property(steps, steps, range, fc.nat({ max: 5 }), (a, b, [from, to], most) => {
        const { set, model } = build(a);
        const other = build(b);
        expect(set.toJSON()).toEqual(boundsOf(model));
        for (let i = 0; i <= LAST + 1; i++) same(set.has(i), model.has(i));
        expect([set.count, set.last]).toEqual([model.size, Math.max(0, ...model)]);
        const within = Array.from({ length: to - from + 1 }, (_, i) => from + i);
        expect(set.gaps(from, to).toJSON()).toEqual(boundsOf(new Set(within.filter((i) => !model.has(i)))));
        expect(set.minus(other.set).toJSON()).toEqual(
          boundsOf(new Set([...model].filter((i) => !other.model.has(i)))),
        );
        const all = new SeqSet(set.toJSON());
        all.addAll(other.set);
        expect(all.toJSON()).toEqual(boundsOf(new Set([...model, ...other.model])));
        const kept = boundsOf(model).slice(-2 * most || Infinity);
        const dropped = boundsOf(model).slice(0, boundsOf(model).length - kept.length);
        expect(set.dropLowest(most)).toBe(dropped.at(-1) ?? 0);
        expect(set.toJSON()).toEqual(kept);
      }),
      { numRuns: runs(2000) },
    );
  });
});

describe('CausalContext', () => {
  const options = { forgetAfterUs: 1000, maxOrigins: 3, maxIntervals: 4, maxIntervalsInAll: 1000 };
  const WIDE = { ...options, maxIntervals: 100, maxOrigins: 10 };
  const event = fc.record({ origin: fc.constantFrom('a', 'b', 'c'), seq });
  const seen = fc.array(event, { maxLength: 30 });

  function contextOf(list: readonly { origin: string; seq: number }[], nowUs = 0): CausalContext {
    const context = new CausalContext(WIDE);
    for (const { origin, seq: at } of list) context.observe(origin, at, 0, nowUs);
    return context;
  }

  function dots(list: readonly { origin: string; seq: number }[]): Set<string> {
    return new Set(list.map((dot) => `${dot.origin} ${dot.seq}`));
  }

  it('knows exactly which events were seen and which are missing', () => {
    fc.assert(
      fc.property(
        seen,
        fc.array(event, { maxLength: 4 }),
        fc.array(event, { maxLength: 4 }),
        (list, announced, gone) => {
          const context = new CausalContext(WIDE);
          const model = new Set<string>();
          const highest = new Map<string, number>();
          for (const { origin, seq: at } of list) {
            same(context.observe(origin, at, 0, 0), !model.has(`${origin} ${at}`));
            model.add(`${origin} ${at}`);
            highest.set(origin, Math.max(at, highest.get(origin) ?? 0));
          }
          for (const { origin, seq: at } of announced) {
            context.announce(origin, at, 0, 0);
            highest.set(origin, Math.max(at, highest.get(origin) ?? 0));
          }
          const givenUp = new Set<string>();
          for (const { origin, seq: at } of gone) {
            if (!highest.has(origin) || model.has(`${origin} ${at}`)) continue;
            context.giveUp(origin, new SeqSet([at, at]));
            givenUp.add(`${origin} ${at}`);
          }
          const holes = new Set(
            [...context.holes()].flatMap(([origin, seqs]) => {
              const list: string[] = [];
              for (let i = 1; i <= LAST; i++) if (seqs.has(i)) list.push(`${origin} ${i}`);
              return list;
            }),
          );
          for (const origin of ['a', 'b', 'c']) {
            for (let i = 1; i <= LAST; i++) {
              const dot = `${origin} ${i}`;
              same(context.has(origin, i), model.has(dot));
              const lost = i <= (highest.get(origin) ?? 0) && !model.has(dot) && !givenUp.has(dot);
              same(holes.has(dot), lost);
            }
          }
        },
      ),
    );
  });

  it('joins as a union, and tells equal ones from others', () => {
    fc.assert(
      fc.property(seen, seen, (a, b) => {
        const [left, right] = [contextOf(a), contextOf(b)];
        const [inA, inB] = [dots(a), dots(b)];
        expect(isSame(left, right)).toBe([...inA].sort().join() === [...inB].sort().join());
        const read = CausalContext.fromJSON(JSON.parse(JSON.stringify(left)) as OriginJson[], WIDE);
        expect(isSame(read, left)).toBe(true);
        left.join(right, '', 0);
        right.join(read, '', 0);
        expect(isSame(left, right)).toBe(true);
        expect(isSame(left, contextOf([...a, ...b]))).toBe(true);
      }),
    );
  });

  it('stays within its limits, and no longer chases what it had to let go (I7)', () => {
    const context = new CausalContext(options);
    for (let i = 1; i <= 41; i += 2) context.observe('a', i, 0, 0);
    expect(context.toJSON()[0]!.length - 3).toBeLessThanOrEqual(2 * options.maxIntervals);
    for (const seqs of context.holes().values())
      expect(seqs.intervalCount).toBeLessThanOrEqual(options.maxIntervals);
    for (const origin of ['b', 'c', 'd', 'e']) context.observe(origin, 1, 0, 0);
    expect(context.originCount).toBe(options.maxOrigins);
    expect(context.observe('e', 1, 0, 0)).toBe(false);
    context.observe('b', Number.MAX_SAFE_INTEGER - 1, 0, 0);
    expect(context.holes().get('b')!.intervalCount).toBe(1);
  });

  it('forgets an origin by the age of its newest event, never by when it heard of it', () => {
    const context = new CausalContext(WIDE);
    context.observe('a', 1, 100, 100);
    context.announce('b', 1, 500, 500);
    const other = CausalContext.fromJSON(context.toJSON(), WIDE);
    context.forget(1099, '');
    expect(context.originCount).toBe(2);
    context.forget(1100, '');
    expect([...context.announcements()]).toEqual([['b', 500, 1]]);
    context.forget(1e12, 'b');
    expect(context.knows('b')).toBe(true);
    context.join(other, '', 1100);
    context.observe('a', 1, 100, 1100);
    expect(context.originCount).toBe(1);
  });

  it('does not let an event from the future keep its origin for ever (I7)', () => {
    const context = new CausalContext(WIDE);
    context.observe('a', 1, Number.MAX_SAFE_INTEGER, 100);
    context.observe('a', 2, Number.MAX_SAFE_INTEGER, 200);
    context.forget(1199, '');
    expect(context.originCount).toBe(1);
    context.forget(1200, '');
    expect(context.originCount).toBe(0);
    const lying = CausalContext.fromJSON([['a', Number.MAX_SAFE_INTEGER, 1, 1, 1]], WIDE);
    context.join(lying, '', 300);
    context.forget(1300, '');
    expect(context.originCount).toBe(0);
  });
});
