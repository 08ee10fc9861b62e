import fc from 'fast-check';
import type { AddEvent, LoadEvent } from '../../src/core/event';
import type { LoadStats } from '../../src/core/load-stats';
import { Fingerprint } from '../../src/core/fingerprint';
import { E, R, ROOMY, SECOND, endOf, events, lifeWithRowsOf, newView, perform } from './steps';
import { expectConsistent, heldDeletions, listedRows, stateOf } from './view-inspection';
import { equal, same } from '../support/same';
import { runs } from '../support/size';

const T = 1_000 * SECOND;

function add(fields: Partial<AddEvent> = {}): AddEvent {
  return {
    type: 'add',
    origin: 'o1',
    seq: 1,
    timeUs: T,
    requestId: 'request',
    cluster: 'm1',
    ip: '10.0.0.1',
    promptLength: 7,
    timestampNs: undefined,
    ...fields,
  };
}

function end(type: 'delete' | 'prompt-delete', timeUs: number, requestId = 'request'): LoadEvent {
  return { type, origin: 'o2', seq: 1, timeUs, requestId };
}

function queued(view: LoadStats): number {
  return listedRows(view).reduce((sum, row) => sum + row.queued, 0);
}

describe('Limits of the view', () => {
  it('are never passed, and whatever is not applied changes nothing (I7, I8)', () => {
    const ceilings = fc.record({
      inFlightCeiling: fc.integer({ min: 1, max: 3 }),
      engineCeiling: fc.integer({ min: 1, max: 4 }),
      finishedCeiling: fc.integer({ min: 1, max: 4 }),
      waitingCeiling: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(
        events.chain((list) => lifeWithRowsOf(list)),
        ceilings,
        (steps, options) => {
          const view = newView(options);
          for (const step of steps) {
            view.advance(step.atUs);
            const before = stateOf(view);
            const outcome = perform(view, step);
            if (outcome !== undefined && outcome !== 'applied') equal(stateOf(view), before);
            same(view.inFlight.size <= options.inFlightCeiling, true);
            same(view.engines.size <= options.engineCeiling, true);
            for (const of of [view.deletes, view.promptDeletes]) {
              same(of.size <= options.finishedCeiling + options.inFlightCeiling, true);
            }
          }
          expectConsistent(view);
          view.expire(endOf(steps) + 3 * (E + R), Infinity);
          expect(view.inFlight.size + view.deletes.size + view.promptDeletes.size + view.engines.size).toBe(
            0,
          );
        },
      ),
      { numRuns: runs(500) },
    );
  });

  it('are named by the outcome', () => {
    const view = newView({ inFlightCeiling: 1, engineCeiling: 1, finishedCeiling: 1, waitingCeiling: 1 });
    expect(view.apply(add(), T)).toBe('applied');
    expect(view.apply(add({ requestId: 'second' }), T)).toBe('in-flight-ceiling');
    expect(view.apply(add({ ip: '10.0.0.2', origin: 'o2' }), T)).toBe('engine-ceiling');
    expect(view.apply(add({ origin: 'o2' }), T)).toBe('applied');
    expect(view.apply(end('delete', T), T)).toBe('applied');
    expect(view.apply(end('delete', T, 'second'), T)).toBe('finished-ceiling');
    expect(view.apply(end('delete', T + 1), T + 1)).toBe('applied');
  });

  it('never keep what is in flight from ending: no more comes in while too many ids are remembered (I2, I7)', () => {
    const view = newView({ inFlightCeiling: 3, finishedCeiling: 2, waitingCeiling: 1 });
    for (const requestId of ['a', 'b', 'c']) expect(view.apply(add({ requestId }), T)).toBe('applied');
    for (const type of ['prompt-delete', 'delete'] as const) {
      for (const requestId of ['a', 'b', 'c']) expect(view.apply(end(type, T, requestId), T)).toBe('applied');
    }
    expect(listedRows(view)).toMatchObject([{ queued: 0, prompt: 0 }]);
    expect(view.apply(add({ requestId: 'd' }), T)).toBe('finished-ceiling');
    expect(view.apply(end('delete', T, 'd'), T)).toBe('finished-ceiling');
    const later = T + E + R + 2 * SECOND;
    view.expire(later, Infinity);
    expect(view.apply(add({ requestId: 'd', timeUs: later }), later)).toBe('applied');
    expectConsistent(view);
  });

  it('bound the conflicting adds of an id, and still know each of them again (I7)', () => {
    const view = newView();
    const adds = Array.from({ length: 70 }, (_, i) => add({ origin: `origin-${i}`, timeUs: T + i }));
    const outcomes = adds.map((event) => view.apply(event, T + 100));
    expect(outcomes.filter((outcome) => outcome === 'applied')).toHaveLength(64);
    expect(outcomes.slice(64)).toEqual(Array(6).fill('conflict-ceiling'));
    for (const event of adds.slice(0, 64)) expect(view.apply(event, T + 100)).toBe('applied');
    expect(queued(view)).toBe(1);
    expectConsistent(view);
  });

  it('bound the conflicting adds of all ids together, and there is room again when they end (I7)', () => {
    const view = newView({ inFlightCeiling: 3 });
    const forged = ['a', 'b', 'c'].flatMap((requestId) =>
      Array.from({ length: 5 }, (_, i) => add({ requestId, origin: `origin-${i}`, timeUs: T + i })),
    );
    const outcomes = forged.map((event) => view.apply(event, T + 100));
    expect(outcomes.filter((outcome) => outcome === 'applied')).toHaveLength(7);
    expect(outcomes.at(-1)).toBe('conflict-ceiling');
    expect(queued(view)).toBe(3);
    expect(view.apply(end('delete', T + 10, 'a'), T + 100)).toBe('applied');
    expect(view.apply(add({ requestId: 'b', origin: 'late', timeUs: T + 20 }), T + 100)).toBe('applied');
    expectConsistent(view);
  });

  it('bound the rows that a delete time remembers, however often its id is used again (I7)', () => {
    const view = newView();
    let now = T;
    for (let i = 0; i < 200; i++) {
      expect(view.apply(add({ seq: i, timeUs: now, ip: `10.0.1.${i}` }), now)).toBe('applied');
      expect(view.apply(end('delete', now), now)).toBe('applied');
      now += R + 1;
    }
    expect(heldDeletions(view.deletes)[0]!.rows.length).toBeLessThanOrEqual(64);
    expect(queued(view)).toBe(0);
  });
});

describe('Expiry', () => {
  it('comes to its end within as many calls as there are things, whatever the limit (I7)', () => {
    fc.assert(
      fc.property(
        events.chain((list) => lifeWithRowsOf(list)),
        fc.nat({ max: E + R }),
        (steps, waitUs) => {
          const view = newView();
          for (const step of steps) perform(view, step);
          const now = endOf(steps) + waitUs;
          let calls = 0;
          // A row may be looked at once a second of its time.
          while (!view.expire(now, 1)) expect(++calls).toBeLessThan(2000);
          expectConsistent(view);
        },
      ),
      { numRuns: runs(300) },
    );
  });

  it('visits no more than the limit, and a later call goes on', () => {
    const view = newView();
    for (let i = 0; i < 10; i++) view.apply(add({ requestId: `r${i}`, timeUs: T + i }), T + 10);
    expect(view.expire(T + E + SECOND, 4)).toBe(false);
    expect(queued(view)).toBe(6);
    expect(view.expire(T + E + SECOND, 100)).toBe(true);
    expect([queued(view), view.expiredRequests]).toEqual([0, 10]);
  });

  it('drops an add exactly when it is E old', () => {
    const view = newView();
    view.apply(add(), T);
    view.expire(T + E - 1, Infinity);
    expect(queued(view)).toBe(1);
    expect(view.statusOf('request', T + E - 1).add).toBeDefined();
    expect(view.statusOf('request', T + E).add).toBeUndefined();
    view.expire(T + E, Infinity);
    expect([queued(view), listedRows(view).length, view.expiredRequests]).toEqual([0, 0, 1]);
  });

  it('hands the row to the next of conflicting adds as each one expires', () => {
    const view = newView();
    view.apply(add({ origin: 'o2', timeUs: T + SECOND, ip: '10.0.0.2', promptLength: 2 }), T + SECOND);
    view.apply(add({ promptLength: 1 }), T + SECOND);
    const rows = (): unknown => listedRows(view).map(({ ip, queued: q, prompt }) => [ip, q, prompt]);
    expect(rows()).toEqual([
      ['10.0.0.1', 1, 1],
      ['10.0.0.2', 0, 0],
    ]);
    view.expire(T + E, Infinity);
    expect(rows()).toEqual([['10.0.0.2', 1, 2]]);
    view.expire(T + E + SECOND, Infinity);
    expect(rows()).toEqual([]);
  });
});

describe('Finished ids', () => {
  const kinds = ['delete', 'prompt-delete'] as const;

  it.each(kinds)(
    'are forgotten exactly R + E after their %s, when no add that it covers could come (I3)',
    (type) => {
      fc.assert(
        fc.property(
          fc.nat({ max: 3 * SECOND }),
          fc.boolean(),
          fc.boolean(),
          (offset, expireFirst, clockBack) => {
            const view = newView();
            const D = T + offset;
            view.apply(end(type, D), D);
            const deleted = (now: number): number | undefined => {
              const status = view.statusOf('request', now);
              return type === 'delete' ? status.deletedUs : status.promptDeletedUs;
            };
            const last = D + R + E - 1;
            if (expireFirst) view.expire(last, Infinity);
            expect(deleted(last)).toBe(D);
            // The youngest add that it covers may come up to the last moment, and is covered.
            expect(view.apply(add({ timeUs: D + R }), last)).toBe('applied');
            const row = listedRows(view)[0]!;
            expect(type === 'delete' ? row.queued : row.prompt).toBe(0);
            view.apply(add({ requestId: 'younger', timeUs: D + R }), last);
            if (expireFirst) view.expire(last + 1, Infinity);
            expect(deleted(last + 1)).toBeUndefined();
            expect(deleted(clockBack ? T : last + 1)).toBeUndefined();
            const refusedAt = clockBack ? T : last + 1;
            expect(view.apply(add({ timeUs: D + R }), refusedAt)).toBe('expired');
            expect(view.apply(end(type, D), refusedAt)).toBe('expired');
            view.expire(last + 1, Infinity);
            expect(queued(view)).toBe(0);
          },
        ),
        { numRuns: runs(100) },
      );
    },
  );

  it('cover adds up to R after their delete, and let a later one count', () => {
    const view = newView();
    view.apply(end('delete', T), T);
    view.apply(add({ timeUs: T + R }), T + R);
    expect(queued(view)).toBe(0);
    view.apply(add({ timeUs: T + R + 1 }), T + R + 1);
    expect(queued(view)).toBe(1);
  });
});

describe('Time in the view', () => {
  it('never goes back: what was refused stays refused when the clock is set back (I3)', () => {
    const view = newView();
    view.advance(T + E);
    expect(view.apply(add(), T)).toBe('expired');
    expect(view.apply(add({ timeUs: T + 1 }), T)).toBe('applied');
    view.expire(T, Infinity);
    expect(queued(view)).toBe(1);
  });

  it('refuses what is further ahead than R, and takes what is not', () => {
    const id = new Fingerprint(ROOMY.fingerprinting).of('request');
    const view = newView();
    expect(view.apply(add({ timeUs: T + R + 1 }), T)).toBe('ahead');
    expect(view.mergeDelete(id, T + R + 1, T)).toBe('ahead');
    expect(view.mergePromptDelete(id, T + R + 1, T)).toBe('ahead');
    expect(view.mergeRow('m1', '10.0.0.1', T + R + 1, T)).toBe('ahead');
    expect(view.apply(add({ timeUs: T + R }), T)).toBe('applied');
    expect(view.mergePromptDelete(id, T + R, T)).toBe('applied');
    expect(view.mergeRow('m1', '10.0.0.1', T + R, T)).toBe('applied');
    expect(view.mergeDelete(id, T + R, T)).toBe('applied');
  });
});
