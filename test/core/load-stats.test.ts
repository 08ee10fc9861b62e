import fc from 'fast-check';
import { isOwnerEvent, type LoadEvent } from '../../src/core/event';
import type { LoadStats } from '../../src/core/load-stats';
import { SnapshotMerge } from '../../src/core/snapshot-merge';
import { snapshotLines } from '../../src/core/snapshot';
import { CausalContext } from '../../src/core/causal-context';
import { Fingerprint } from '../../src/core/fingerprint';
import type { Event, Step } from './steps';
import {
  E,
  R,
  ROOMY,
  SECOND,
  deliveriesOf,
  endOf,
  events,
  lifeOf,
  lifeWithRowsOf,
  lookAt,
  newView,
  perform,
} from './steps';
import { NaiveView } from './naive-view';
import { expectConsistent, expectRows, heldAdds, listedRows, sortedDigest, stateOf } from './view-inspection';
import { equal, same } from '../support/same';
import { runs } from '../support/size';

const RUNS = { numRuns: runs(1000) };
const wait = fc.oneof(
  fc.constant(0),
  fc.nat({ max: E + 3 * R }),
  fc.constantFrom(E - 1, E, R + E, R + E + 5 * SECOND),
);

function tell(oracle: NaiveView, step: Step): string | undefined {
  if (step.kind === 'deliver') return oracle.arrive(step.event, step.atUs);
  if (step.kind === 'row') return oracle.arriveRow(step.cluster, step.ip, step.timeUs, step.atUs);
  const now = oracle.advance(step.atUs);
  if (step.kind === 'look') oracle.leaseNowUs = now;
  return undefined;
}

function expectNotNegative(view: LoadStats): void {
  for (const row of view.engines.all()) {
    same(row.queuedRequests >= 0, true);
    same(row.promptLength >= 0, true);
  }
}

/** Rows without their `updated_time`; rows of zeros say nothing more and are left out. */
function busyRows(view: LoadStats): unknown[] {
  return listedRows(view)
    .filter((row) => row.queued > 0)
    .map(({ cluster, ip, queued, prompt }) => ({ cluster, ip, queued, prompt }));
}

/** What digests of views at `nowUs` must agree on: all that is younger than E. */
function digestsOf(view: LoadStats, nowUs: number): unknown {
  const from = Math.ceil((nowUs - E + 1) / SECOND);
  const digests = [view.addDigest, view.deletionDigest, view.ownedDigest, view.owners.digest];
  return digests.map((digest) => sortedDigest(digest, from));
}

/** A view's state, put into another one as a snapshot is. */
function mergeInto(target: LoadStats, source: LoadStats, nowUs: number): void {
  const options = { forgetAfterUs: 2 * (E + R), maxOrigins: 10, maxIntervals: 10, maxIntervalsInAll: 1000 };
  const merge = new SnapshotMerge(target, options, { replica: 'target', deployment: 'd', speaks: 2 });
  for (const line of snapshotLines(source, new CausalContext(options), {
    replica: 'source',
    deployment: 'd',
    speaks: 2,
    ready: true,
  }))
    merge.line(line, nowUs);
  equal([merge.complete, merge.refused], [true, 0]);
}

describe('LoadStats', () => {
  it('equals a naive recount at every step, whatever comes in whatever order and however late (I1, I2, I3)', () => {
    const lives = events.chain((list) => lifeWithRowsOf(list));
    fc.assert(
      fc.property(lives, wait, (steps, waitUs) => {
        const view = newView();
        const oracle = new NaiveView(E, R);
        for (const step of steps) {
          const expected = tell(oracle, step);
          same(perform(view, step), expected);
          expectNotNegative(view);
          if (step.kind !== 'expire' || step.slice !== Infinity) continue;
          const now = view.advance(step.atUs);
          expectRows(listedRows(view), oracle.rows(now), now - E);
        }
        const now = view.advance(endOf(steps) + waitUs);
        expect(view.expire(now, Infinity)).toBe(true);
        expectRows(listedRows(view), oracle.rows(now), now - E);
        expect(heldAdds(view)).toHaveLength(oracle.liveAdds(now).length);
        for (const requestId of oracle.requestIds()) {
          const { deletedUs, promptDeletedUs } = view.statusOf(requestId, now);
          const deleted = oracle.deletedUs(requestId, 'delete', now);
          const promptDeleted = oracle.deletedUs(requestId, 'prompt-delete', now) ?? -1;
          same(deletedUs, deleted);
          same(promptDeletedUs, promptDeleted > (deleted ?? -1) ? promptDeleted : undefined);
        }
      }),
      RUNS,
    );
  });

  it('keeps its sums, counts, lists and digest in step with its state', () => {
    fc.assert(
      fc.property(
        events.chain((list) => lifeWithRowsOf(list)),
        wait,
        (steps, waitUs) => {
          const view = newView();
          for (const step of steps) perform(view, step);
          expectConsistent(view);
          view.expire(endOf(steps) + waitUs, 2);
          expectConsistent(view);
          view.expire(endOf(steps) + waitUs, Infinity);
          expectConsistent(view);
        },
      ),
      RUNS,
    );
  });

  it('ends in the same rows and digest at every replica that was sent the same events, at whatever times (I1)', () => {
    const deliveries = events.chain((list) =>
      fc.record({ list: fc.constant(list), a: lifeOf(list), b: lifeOf(list), c: lifeOf(list) }),
    );
    fc.assert(
      fc.property(deliveries, wait, ({ list, a, b, c }, waitUs) => {
        const now = endOf(a, b, c) + waitUs;
        const views = [a, b, c].map((steps) => {
          const view = newView();
          // What was refused because it came ahead of its time is a hole, and comes again.
          const again: Event[] = [];
          for (const step of steps) {
            if (perform(view, step) === 'ahead' && step.kind === 'deliver') again.push(step.event);
          }
          for (const event of again) view.apply(event, Math.max(now, event.timeUs));
          return view;
        });
        const end = Math.max(now, ...list.map((event) => event.timeUs));
        for (const view of views) {
          view.expire(end, Infinity);
          lookAt(view, end);
        }
        const [first, ...others] = views as [LoadStats, ...LoadStats[]];
        for (const other of others) {
          expect(busyRows(other)).toEqual(busyRows(first));
          expect(digestsOf(other, end)).toEqual(digestsOf(first, end));
        }
      }),
      RUNS,
    );
  });

  it('ends in the same rows, updated_time included, in any order of events that come in time (I1)', () => {
    const orders = events.chain((list) =>
      fc.record({
        list: fc.constant(list),
        order: fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 }),
      }),
    );
    fc.assert(
      fc.property(orders, ({ list, order }) => {
        const times = list.map((event) => event.timeUs);
        const nowUs = Math.max(...times);
        // Wide enough that nothing is refused or expires.
        const [a, b] = [newView({ expireAfterUs: 70 * SECOND }), newView({ expireAfterUs: 70 * SECOND })];
        for (const event of list) same(a.apply(event, nowUs), 'applied');
        for (const event of order) same(b.apply(event, nowUs), 'applied');
        for (const view of [a, b]) lookAt(view, nowUs);
        expect(listedRows(b)).toEqual(listedRows(a));
        expect(digestsOf(b, nowUs)).toEqual(digestsOf(a, nowUs));
      }),
      RUNS,
    );
  });

  it('has rows of zeros once every request has finished, and keeps them through late copies (I2, I3)', () => {
    const lives = events
      .map((list) => {
        const last = new Map<string, number>();
        for (const event of list) {
          if (isOwnerEvent(event)) continue;
          last.set(event.requestId, Math.max(event.timeUs, last.get(event.requestId) ?? 0));
        }
        const ends = [...last].map(([requestId, timeUs], i): LoadEvent => {
          // A deleter's clock may be behind by as much as R.
          return { type: 'delete', origin: 'o4', seq: i + 1, timeUs: timeUs - (i % 2) * R, requestId };
        });
        return { list, ends };
      })
      .chain(({ list, ends }) =>
        fc.record({
          before: lifeOf(list),
          ends: fc.shuffledSubarray(ends, { minLength: ends.length }),
          late: deliveriesOf(list, true),
        }),
      );
    fc.assert(
      fc.property(lives, wait, ({ before, ends, late }, waitUs) => {
        const view = newView();
        for (const step of before) perform(view, step);
        const now = Math.max(0, ...ends.map((event) => event.timeUs), endOf(before));
        for (const event of ends) view.apply(event, now);
        view.expire(now, Infinity);
        expect(heldAdds(view)).toEqual([]);
        for (const { queued, prompt } of listedRows(view)) equal([queued, prompt], [0, 0]);
        let atUs = now;
        for (const step of late) {
          atUs += waitUs / late.length;
          perform(view, { ...step, atUs: Math.floor(atUs) });
          view.expire(Math.floor(atUs), Infinity);
          equal(heldAdds(view), []);
        }
      }),
      RUNS,
    );
  });

  it('gains from a merge by hash what applying the events would give, both ways and twice (I1)', () => {
    const deliveries = events.chain((list) =>
      fc.record({ a: lifeOf(list, false), b: lifeOf(list, false), c: lifeOf(list, false) }),
    );
    fc.assert(
      fc.property(deliveries, wait, ({ a, b, c }, waitUs) => {
        const now = endOf(a, b, c) + waitUs;
        const views = [a, b, c].map((steps) => {
          const view = newView();
          for (const step of steps) perform(view, step);
          return view;
        });
        const [first, second, third] = views as [LoadStats, LoadStats, LoadStats];
        const lives = [a, b, c].flatMap((steps) => {
          const alone = new NaiveView(E, R);
          return steps.filter((step) => tell(alone, step) === 'applied');
        });
        mergeInto(first, second, now);
        mergeInto(first, third, now);
        mergeInto(second, first, now);
        mergeInto(third, second, now);
        mergeInto(third, first, now);
        for (const view of views) {
          view.expire(now, Infinity);
          lookAt(view, now);
          expectConsistent(view);
          const expected = recount(lives, now);
          expect(busyRows(view)).toEqual(expected);
          expect(digestsOf(view, now)).toEqual(digestsOf(first, now));
        }
        mergeInto(first, third, now);
        const before = stateOf(first);
        mergeInto(first, third, now);
        expect(stateOf(first)).toEqual(before);
      }),
      RUNS,
    );
  });

  it('has another digest when one item differs', () => {
    fc.assert(
      fc.property(
        events.chain((list) => lifeOf(list)),
        (steps) => {
          const [a, b] = [newView(), newView()];
          for (const step of steps) perform(a, step);
          const now = endOf(steps);
          mergeInto(b, a, now);
          b.expire(now, Infinity);
          a.expire(now, Infinity);
          expect(digestsOf(b, now)).toEqual(digestsOf(a, now));
          const id = new Fingerprint(ROOMY.fingerprinting).of('one more');
          const change = steps.length % 3;
          if (change === 0) b.mergeDelete(id, now, now);
          else if (change === 1) b.mergePromptDelete(id, now, now);
          else {
            const place = { origin: 'o1', cluster: 'm1', ip: '10.0.0.1' };
            b.mergeAdd('one more', { ...place, timeUs: now, promptLength: 1, timestampNs: undefined }, now);
          }
          expect(digestsOf(b, now)).not.toEqual(digestsOf(a, now));
        },
      ),
      { numRuns: runs(500) },
    );
  });
});

/** Busy rows of the set of events that any of the lives accepted. */
function recount(lives: readonly Step[], nowUs: number): unknown[] {
  const oracle = new NaiveView(E, R);
  oracle.leaseNowUs = nowUs;
  for (const step of [...lives].sort((x, y) => timeOf(x) - timeOf(y))) {
    // At its own time nothing is refused: each was accepted somewhere.
    if (step.kind === 'deliver') oracle.arrive(step.event, step.event.timeUs);
  }
  return oracle
    .rows(nowUs)
    .filter((row) => row.queued > 0)
    .map(({ cluster, ip, queued, prompt }) => ({ cluster, ip, queued, prompt }));
}

function timeOf(step: Step): number {
  return step.kind === 'deliver' ? step.event.timeUs : step.atUs;
}
