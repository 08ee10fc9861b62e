/**
 * Steps for properties: events of a few ids by a few origins with skewed clocks, each delivered some times, in some
 * order, early, in time or far too late, with expiry and clock steps in between. Few ids and coarse times, so that
 * conflicts, overtaking, reuse and equal times are the rule.
 */
import fc from 'fast-check';
import { newFingerprinting } from '../../src/composition/fingerprinting';
import type { LoadEvent, OwnerEvent } from '../../src/core/event';
import type { LoadStatsOptions, Outcome } from '../../src/core/load-stats';
import { LoadStats } from '../../src/core/load-stats';

export const SECOND = 1_000_000;
export const E = 20 * SECOND;
export const R = 5 * SECOND;
const START = 1_000 * SECOND;
const CLUSTERS = ['m1', 'm2'];
const IPS = ['10.0.0.1', '10.0.0.2', '9.0.0.10'];
const ORIGINS = ['o1', 'o2', 'o3'];
const OWNERS = ['gw-1', 'gw-2', undefined];
export type Event = LoadEvent | OwnerEvent;
const DURATION = 60 * SECOND;

export const ROOMY: LoadStatsOptions = {
  expireAfterUs: E,
  finishedRetentionUs: R,
  inFlightCeiling: 1000,
  engineCeiling: 1000,
  finishedCeiling: 1000,
  waitingCeiling: 1000,
  ownerCeiling: 1000,
  fingerprinting: newFingerprinting(),
};

export function newView(options: Partial<LoadStatsOptions> = {}): LoadStats {
  return new LoadStats({ ...ROOMY, ...options });
}

const time = fc.oneof(
  // Often the very same time.
  fc.constantFrom(10, 12, 30, 31, 40).map((second) => START + second * SECOND),
  fc.nat({ max: DURATION / 250_000 }).map((quarter) => START + quarter * 250_000),
  fc.nat({ max: DURATION }).map((us) => START + us),
);

const event = fc.record({
  type: fc.constantFrom(
    'add' as const,
    'add' as const,
    'add' as const,
    'delete' as const,
    'delete' as const,
    'prompt-delete' as const,
    'owner' as const,
    'owner-gone' as const,
  ),
  id: fc.nat({ max: 3 }),
  timeUs: time,
  origin: fc.constantFrom(...ORIGINS),
  cluster: fc.constantFrom(...CLUSTERS),
  ip: fc.constantFrom(...IPS),
  promptLength: fc.nat({ max: 9 }),
  owner: fc.constantFrom(...OWNERS),
  ttlMs: fc.constantFrom(3_000, 8_000, 15_000),
});

/** Events with dots; add times of one origin differ, as every origin makes sure of. */
export const events: fc.Arbitrary<Event[]> = fc
  .array(event, { minLength: 1, maxLength: 14, size: 'max' })
  .map((list) => {
    const used = new Set<string>();
    return list.map(({ type, id, origin, cluster, ip, promptLength, owner, ttlMs, ...rest }, i): Event => {
      let { timeUs } = rest;
      while (used.has(`${origin} ${timeUs}`)) timeUs++;
      used.add(`${origin} ${timeUs}`);
      const dot = { origin, seq: i + 1, timeUs };
      if (type === 'owner') return { type, ...dot, owner: owner ?? 'gw-1', ttlMs };
      if (type === 'owner-gone') return { type, ...dot, owner: owner ?? 'gw-2' };
      const common = { ...dot, requestId: `request-${id}` };
      if (type !== 'add') return { type, ...common };
      return { type, ...common, cluster, ip, promptLength, timestampNs: undefined, owner };
    });
  });

export type Step =
  | { readonly kind: 'deliver'; readonly atUs: number; readonly event: Event }
  | { readonly kind: 'look'; readonly atUs: number }
  | { readonly kind: 'expire'; readonly atUs: number; readonly slice: number }
  | {
      readonly kind: 'row';
      readonly atUs: number;
      readonly cluster: string;
      readonly ip: string;
      readonly timeUs: number;
    };

/** Ahead of its time, at once, soon, about when it expires, or when even its deletion is forgotten. */
const delay = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: -R - SECOND, max: 0 }) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 * SECOND }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: E + R + 3 * SECOND }) },
  { weight: 1, arbitrary: fc.constantFrom(-R, -R - 1, 0, R, E - 1, E, E + R - 1, E + R) },
);

export function deliveriesOf(list: readonly Event[], everyEvent: boolean): fc.Arbitrary<Step[]> {
  const deliver = (of: Event): fc.Arbitrary<Step> =>
    delay.map((by) => ({ kind: 'deliver', atUs: of.timeUs + by, event: of }));
  const again = fc.array(fc.constantFrom(...list).chain(deliver), { maxLength: 8 });
  const first: fc.Arbitrary<Step[]> = everyEvent ? fc.tuple(...list.map(deliver)) : fc.constant([]);
  return fc.tuple(first, again).map(([a, b]) => [...a, ...b]);
}

/** Expiry at any time, and when something may just have become due. */
function expiriesOf(list: readonly Event[]): fc.Arbitrary<Step[]> {
  const due = fc
    .tuple(fc.constantFrom(...list), fc.constantFrom(0, E, R + E), fc.nat({ max: 4 }))
    .map(([{ timeUs }, afterUs, seconds]) => timeUs + afterUs + seconds * SECOND);
  const step = fc.record({
    kind: fc.constant('expire' as const),
    atUs: fc.oneof(time, due),
    slice: fc.constantFrom(1, 3, Infinity, Infinity),
  });
  return fc.array(step, { maxLength: 8, size: 'max' });
}

const looks: fc.Arbitrary<Step[]> = fc.array(fc.record({ kind: fc.constant('look' as const), atUs: time }), {
  maxLength: 5,
});

const rowReports: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constant('row' as const),
    atUs: time,
    cluster: fc.constantFrom(...CLUSTERS),
    ip: fc.constantFrom(...IPS),
    timeUs: time,
  }),
  { maxLength: 3 },
);

/** One replica's life: its deliveries and expiry in the order of arrival, with a clock that may step back. */
export function lifeOf(list: readonly Event[], everyEvent = true): fc.Arbitrary<Step[]> {
  return fc
    .tuple(
      deliveriesOf(list, everyEvent),
      expiriesOf(list),
      looks,
      fc.array(fc.nat({ max: 40 }), { maxLength: 2 }),
    )
    .map(([deliveries, expire, looksAt, steppedBack]) => {
      const steps = [...deliveries, ...expire, ...looksAt].sort((a, b) => a.atUs - b.atUs);
      for (const i of steppedBack) {
        const step = steps[i];
        if (step) steps[i] = { ...step, atUs: step.atUs - 10 * SECOND };
      }
      return steps;
    });
}

export function lifeWithRowsOf(list: readonly Event[]): fc.Arbitrary<Step[]> {
  return fc
    .tuple(lifeOf(list, false), lifeOf(list, true), rowReports)
    .map(([a, b, rows]) => [...a, ...b, ...rows].sort((x, y) => x.atUs - y.atUs));
}

export function perform(view: LoadStats, step: Step): Outcome | undefined {
  switch (step.kind) {
    case 'deliver':
      return view.apply(step.event, step.atUs);
    case 'row':
      return view.mergeRow(step.cluster, step.ip, step.timeUs, step.atUs);
    case 'look':
      lookAt(view, step.atUs);
      return undefined;
    case 'expire':
      view.expire(step.atUs, step.slice);
      return undefined;
  }
}

/** The time of leases is that of the view, as of a replica that always hears the others. */
export function lookAt(view: LoadStats, nowUs: number): void {
  const now = view.advance(nowUs);
  view.lookAtOwners({ nowUs: now, heardSinceUs: -Infinity }, now);
  while (!view.settle(2, now));
}

/** A time after all steps and all events in them. */
export function endOf(...lives: readonly Step[][]): number {
  const times = lives
    .flat()
    .map((step) => (step.kind === 'deliver' ? Math.max(step.atUs, step.event.timeUs) : step.atUs));
  return Math.max(START, ...times);
}
