/** Which requests count by what is known of the gateways' processes that hold them. */
import fc from 'fast-check';
import { CausalContext } from '../../src/core/causal-context';
import type { LoadEvent } from '../../src/core/event';
import type { LoadStats } from '../../src/core/load-stats';
import { snapshotLines } from '../../src/core/snapshot';
import { SnapshotMerge } from '../../src/core/snapshot-merge';
import { equal, same } from '../support/same';
import { runs } from '../support/size';
import { E, lookAt, newView, R, SECOND, type Event } from './steps';
import { NaiveView } from './naive-view';
import { expectConsistent, listedRows } from './view-inspection';

const T = 1_000 * SECOND;
const TTL_MS = 8_000;
const TTL = TTL_MS * 1000;
const LONGEST_TTL = 300 * SECOND;

let seqs = 0;
const dot = (timeUs: number) => ({ origin: 'o', seq: ++seqs, timeUs });

function add(timeUs: number, fields: Partial<Extract<LoadEvent, { type: 'add' }>> = {}): LoadEvent {
  const place = { cluster: 'm', ip: '10.0.0.1', promptLength: 3, timestampNs: undefined };
  return { type: 'add', ...dot(timeUs), requestId: `r${seqs}`, ...place, owner: 'gw', ...fields };
}

const lease = (timeUs: number, ttlMs = TTL_MS): Event => ({
  type: 'owner',
  ...dot(timeUs),
  owner: 'gw',
  ttlMs,
});
const gone = (timeUs: number): Event => ({ type: 'owner-gone', ...dot(timeUs), owner: 'gw' });

const queued = (view: LoadStats): number => listedRows(view).reduce((sum, row) => sum + row.queued, 0);

function owners(view: LoadStats): unknown {
  return JSON.parse(view.owners.toJson());
}

describe('A lease', () => {
  it('lets requests count until its ttl has passed since the last sign of life, and again from the next one on (I13)', () => {
    const view = newView();
    for (const event of [lease(T), add(T + SECOND), add(T + SECOND)]) view.apply(event, T + SECOND);
    lookAt(view, T + SECOND + TTL - 1);
    expect([queued(view), view.releasedRequests]).toEqual([2, 0]);
    lookAt(view, T + SECOND + TTL);
    expect([queued(view), view.releasedRequests]).toEqual([0, 2]);
    expect(owners(view)).toEqual([
      { owner: 'gw', in_flight: 2, alive: false, renewed_time: (T + SECOND) * 1000 },
    ]);
    view.apply(lease(T + 12 * SECOND), T + 12 * SECOND);
    expect(queued(view)).toBe(2);
    expect(owners(view)).toMatchObject([{ alive: true }]);
    expectConsistent(view);
  });

  it('only shortens: what it lets count expires as if there were none (I3)', () => {
    const view = newView();
    view.apply(add(T), T);
    for (let at = T; at < T + E; at += SECOND) {
      view.apply(lease(at, 300_000), at);
      lookAt(view, at);
      expect(queued(view)).toBe(1);
    }
    view.expire(T + E, Infinity);
    expect([queued(view), view.inFlight.size]).toEqual([0, 0]);
  });

  it('changes nothing for requests of nobody, and an owner without one counts as before (I13)', () => {
    const view = newView();
    for (const event of [lease(T), add(T, { owner: undefined }), add(T, { owner: 'silent' })])
      view.apply(event, T);
    lookAt(view, T + E - 1);
    expect(queued(view)).toBe(2);
  });

  it('is not thought to have run out while the replica did not hear of renewals', () => {
    const view = newView();
    for (const event of [lease(T), add(T)]) view.apply(event, T);
    const look = (nowUs: number, heardSinceUs: number, at: number): void => {
      view.lookAtOwners({ nowUs, heardSinceUs }, at);
      view.settle(Infinity, at);
    };
    look(T, -Infinity, T + 2 * TTL);
    expect(queued(view)).toBe(1);
    look(T + 2 * TTL, T + 2 * TTL, T + 2 * TTL);
    expect(queued(view)).toBe(1);
    look(T + 2 * TTL + TTL / 4, T + 2 * TTL, T + 2 * TTL + TTL / 4);
    expect(queued(view)).toBe(1);
  });

  it('that had run out before the replica was cut off stays so', () => {
    const view = newView();
    for (const event of [lease(T), add(T)]) view.apply(event, T);
    lookAt(view, T + TTL);
    view.lookAtOwners({ nowUs: T + TTL + SECOND, heardSinceUs: T + TTL + SECOND }, T + TTL + SECOND);
    view.settle(Infinity, T + TTL + SECOND);
    expect(queued(view)).toBe(0);
  });
});

describe('An owner that is gone', () => {
  it('has nothing that counts, also where its adds come later, up to R after it (I13, I14)', () => {
    const view = newView();
    view.apply(add(T), T);
    view.apply(gone(T + SECOND), T + SECOND);
    expect([queued(view), view.releasedRequests]).toEqual([0, 1]);
    view.apply(add(T + SECOND + R), T + SECOND + R);
    view.apply(lease(T + 2 * SECOND), T + SECOND + R);
    expect(queued(view)).toBe(0);
    expect(owners(view)).toMatchObject([{ alive: false, in_flight: 2 }]);
    view.apply(add(T + SECOND + R + 1), T + SECOND + R + 1);
    expect(queued(view)).toBe(1);
  });

  it('leaves its requests to be ended and to expire, which are then no sign of lost deletes (I2)', () => {
    const view = newView();
    const first = add(T, { requestId: 'ended' });
    for (const event of [first, add(T), gone(T)]) view.apply(event, T);
    view.apply({ type: 'delete', ...dot(T + SECOND), requestId: 'ended' }, T + SECOND);
    expect(view.inFlight.size).toBe(1);
    view.expire(T + E, Infinity);
    expect([view.inFlight.size, view.expiredRequests]).toEqual([0, 0]);
    expectConsistent(view);
  });
});

describe('What is kept of owners', () => {
  it('is bounded: what one more would say is refused, and changes nothing (I7, I8)', () => {
    const view = newView({ ownerCeiling: 1 });
    expect(view.apply(lease(T), T)).toBe('applied');
    expect(view.apply({ ...lease(T), owner: 'other' } as Event, T)).toBe('owner-ceiling');
    expect(view.apply(add(T, { owner: 'other' }), T)).toBe('owner-ceiling');
    expect([view.inFlight.size, view.engines.size, view.owners.size]).toEqual([0, 0, 1]);
    expect(view.apply(add(T), T)).toBe('applied');
  });

  it('is forgotten when no add that it is about can come any more, and refused from then on (I3, I7)', () => {
    const view = newView();
    for (const event of [lease(T), add(T), gone(T)]) view.apply(event, T);
    const past = T + LONGEST_TTL + R + E;
    view.expire(past - 1, Infinity);
    lookAt(view, past - 1);
    expect(view.owners.size).toBe(1);
    lookAt(view, past);
    expect(view.owners.size).toBe(0);
    expect([view.apply(lease(T), past), view.apply(gone(T), past)]).toEqual(['expired', 'expired']);
    expectConsistent(view);
  });

  it('counts requests, not adds, and by cluster', () => {
    const view = newView();
    const twice = { requestId: 'twice' };
    for (const event of [add(T, twice), add(T + SECOND, twice), add(T, { cluster: 'n' })])
      view.apply(event, T + SECOND);
    expect(JSON.parse(view.owners.toJson())).toMatchObject([{ in_flight: 2 }]);
    expect(JSON.parse(view.owners.toJson('n'))).toMatchObject([{ in_flight: 1 }]);
    expect(JSON.parse(view.owners.toJson('x'))).toEqual([]);
  });

  it('settles in slices', () => {
    const view = newView({ inFlightCeiling: 20_000, finishedCeiling: 20_000 });
    for (let i = 0; i < 12_000; i++) view.apply(add(T), T);
    view.apply(lease(T), T);
    view.lookAtOwners({ nowUs: T + TTL, heardSinceUs: -Infinity }, T + TTL);
    expect(queued(view)).toBe(12_000);
    expect(view.settle(1_000, T + TTL)).toBe(false);
    expect(queued(view)).toBe(11_000);
    while (!view.settle(1_000, T + TTL));
    expect(queued(view)).toBe(0);
    expectConsistent(view);
  });
});

/** Few ids, owners and times, so that they meet. */
const event: fc.Arbitrary<Event> = fc
  .record({
    type: fc.constantFrom(
      'add' as const,
      'add' as const,
      'delete' as const,
      'owner' as const,
      'owner-gone' as const,
    ),
    id: fc.nat({ max: 2 }),
    seconds: fc.nat({ max: 12 }),
    origin: fc.constantFrom('o1', 'o2'),
    owner: fc.constantFrom('gw-1', 'gw-2', undefined),
    ttlMs: fc.constantFrom(3_000, 8_000),
  })
  .map(({ type, id, seconds, origin, owner, ttlMs }, seq = ++seqs) => {
    // Times of adds differ by their id, as each origin makes sure of.
    const of = { origin, seq, timeUs: T + seconds * SECOND + (type === 'add' ? id : 0) };
    if (type === 'owner') return { type, ...of, owner: owner ?? 'gw-1', ttlMs };
    if (type === 'owner-gone') return { type, ...of, owner: owner ?? 'gw-2' };
    if (type === 'delete') return { type, ...of, requestId: `r${id}` };
    const place = { cluster: 'm', ip: `10.0.0.${1 + id}`, promptLength: id, timestampNs: undefined };
    return { type, ...of, requestId: `r${id}`, ...place, owner };
  });

const list = fc
  .array(event, { minLength: 2, maxLength: 10, size: 'max' })
  // One add has one owner.
  .map((events) => {
    const seen = new Set<string>();
    return events.filter((each) => {
      const key = each.type === 'add' ? `${each.origin} ${each.timeUs}` : `${each.origin}/${each.seq}`;
      return !seen.has(key) && seen.add(key);
    });
  });

function mergeInto(target: LoadStats, source: LoadStats, speaks: number, nowUs: number): void {
  const options = { forgetAfterUs: 2 * (E + R), maxOrigins: 10, maxIntervals: 10, maxIntervalsInAll: 1000 };
  const merge = new SnapshotMerge(target, options, { replica: 'target', deployment: 'd', speaks });
  const from = { replica: 'source', deployment: 'd', speaks, ready: true };
  for (const line of snapshotLines(source, new CausalContext(options), from)) merge.line(line, nowUs);
  equal([merge.complete, merge.refused, merge.skipped], [true, 0, 0]);
}

const busy = (view: LoadStats): unknown =>
  listedRows(view).flatMap(({ ip, queued: count, prompt }) => (count > 0 ? [[ip, count, prompt]] : []));

describe('No row depends on the order of leases, adds and gone', () => {
  it('wherever each was told of first, by an event or a snapshot, also through a replica that knows no owners (I14)', () => {
    const deliveries = list.chain((events) =>
      fc.record({
        events: fc.constant(events),
        shuffled: fc.shuffledSubarray([...events, ...events], { minLength: 2 * events.length }),
        parts: fc.array(fc.subarray(events), { minLength: 3, maxLength: 3 }),
        looksAt: fc.array(fc.nat({ max: 12 }), { maxLength: 3 }),
        laterS: fc.nat({ max: 10 }),
      }),
    );
    const ends = { none: 0, some: 0 };
    fc.assert(
      fc.property(deliveries, ({ events, shuffled, parts, looksAt, laterS }) => {
        const now = T + 12 * SECOND;
        const end = now + laterS * SECOND;
        const wide = { expireAfterUs: 70 * SECOND };
        const views = [newView(wide), newView(wide), newView(wide), newView(wide), newView(wide)];
        const [a, b, c, d, older] = views as [LoadStats, LoadStats, LoadStats, LoadStats, LoadStats];
        for (const each of events) a.apply(each, now);
        shuffled.forEach((each, i) => {
          b.apply(each, now);
          if (looksAt.includes(i)) lookAt(b, now);
        });
        // What only one of them was told of reaches the others by snapshots.
        const told = [c, d, older];
        told.forEach((view, i) => {
          for (const each of parts[i]!) view.apply(each, now);
        });
        for (const each of events) c.apply(each, now);
        mergeInto(d, older, 1, now);
        mergeInto(d, c, 2, now);
        const oracle = new NaiveView(70 * SECOND, R);
        oracle.leaseNowUs = end;
        for (const each of events) oracle.arrive(each, now);
        const expected = oracle
          .rows(end)
          .flatMap(({ ip, queued: count, prompt }) => (count > 0 ? [[ip, count, prompt]] : []));
        ends[expected.length > 0 ? 'some' : 'none']++;
        for (const view of [a, b, c, d]) {
          lookAt(view, end);
          equal(busy(view), expected);
          expectConsistent(view);
        }
        for (const view of [b, c, d]) {
          same(view.owners.toJson(), a.owners.toJson());
          equal(digests(view), digests(a));
        }
      }),
      { numRuns: runs(2_000) },
    );
    expect(Math.min(ends.none, ends.some)).toBeGreaterThan(runs(2_000) / 10);
  });
});

function digests(view: LoadStats): unknown {
  return [view.ownedDigest, view.owners.digest].map((digest) => digest.since(0).sort(([x], [y]) => x - y));
}
