import fc from 'fast-check';
import { NaiveView } from '../core/naive-view';
import { heldAdds } from '../core/view-inspection';
import { equal, same } from '../support/same';
import { runs } from '../support/size';
import type { RefreshReport } from '../../src/replication/replicator';
import { Replicator } from '../../src/replication/replicator';
import { E, eventOf, R, Replica, report, SECOND, START } from './held-replica';

const QUARTER = E / 4;

function refresh(fields: Partial<RefreshReport> = {}): RefreshReport {
  return {
    requestId: 'r',
    cluster: undefined,
    ip: undefined,
    promptLength: 0,
    timestampNs: undefined,
    ...fields,
  };
}

function pass(replica: Replica, us: number): void {
  replica.nowUs += us;
  replica.replicator.loadStats.expire(replica.nowUs, Infinity);
}

describe('A refresh', () => {
  it('is a later add of the id on the same row, and makes the request count for E from then on (I12)', () => {
    const a = new Replica('a');
    a.replicator.add(report({ timestampNs: 7n }));
    const [added] = a.take().map(eventOf);
    pass(a, QUARTER);
    expect(a.replicator.refresh(refresh())).toBe('accepted');
    const [refreshed] = a.take().map(eventOf);
    expect(refreshed).toEqual({ ...added, seq: 2, timeUs: START + QUARTER });
    expect(a.rows()).toEqual([['10.0.0.1', 1, 5]]);
    pass(a, E - 1);
    expect(a.rows()).toEqual([['10.0.0.1', 1, 5]]);
    pass(a, 1);
    expect(a.replicator.loadStats.inFlight.size).toBe(0);
  });

  it('makes no event while the newest add is younger than a quarter of E', () => {
    const a = new Replica('a');
    a.replicator.add(report());
    a.take();
    for (const us of [0, 1, QUARTER - 2]) {
      pass(a, us);
      expect(a.replicator.refresh(refresh())).toBe('fresh');
    }
    expect(a.take()).toEqual([]);
    pass(a, 1);
    expect(a.replicator.refresh(refresh())).toBe('accepted');
    expect(a.replicator.refresh(refresh())).toBe('fresh');
    expect(a.replicator.counts.refreshed).toBe(5);
  });

  it('of a request that was deleted is refused, here and where the delete has come, also after R (I3)', () => {
    const [a, b] = [new Replica('a'), new Replica('b')];
    a.replicator.add(report());
    a.replicator.delete('r');
    b.receive(a.take());
    for (const us of [QUARTER, R, E - QUARTER - 1]) {
      for (const replica of [a, b]) {
        pass(replica, us);
        const named = refresh({ cluster: 'm', ip: '10.0.0.1' });
        expect(replica.replicator.refresh(named)).toBe('already-deleted');
      }
    }
    expect([...a.take(), ...b.take()]).toEqual([]);
  });

  it('of an unknown request is taken up where it says where that runs, and only there', () => {
    const a = new Replica('a');
    expect(a.replicator.refresh(refresh())).toBe('unknown');
    expect(a.replicator.refresh(refresh({ cluster: 'm' }))).toBe('unknown');
    expect(a.replicator.refresh(refresh({ ip: '10.0.0.1' }))).toBe('unknown');
    const named = refresh({ cluster: 'm', ip: '10.0.0.1', promptLength: 3, timestampNs: 9n });
    expect(a.replicator.refresh(named)).toBe('accepted');
    expect(a.rows()).toEqual([['10.0.0.1', 1, 3]]);
    expect(a.replicator.add(report({ timestampNs: 9n }))).toBe('resend');
  });

  it('of an unknown request finds the limits that an add finds (I7)', () => {
    const a = new Replica('a', { maxInFlight: 1, maxEngines: 1 });
    a.replicator.add(report({ requestId: 'other' }));
    expect(a.replicator.refresh(refresh({ cluster: 'm', ip: '10.0.0.1' }))).toBe('too-many-in-flight');
    a.replicator.delete('other');
    expect(a.replicator.refresh(refresh({ cluster: 'm', ip: '10.0.0.2' }))).toBe('too-many-engines');
  });

  it('never brings a prompt back, nor lets it count as one that is prefilled, however long the request runs (I2)', () => {
    const a = new Replica('a');
    const b = new Replica('b');
    a.replicator.add(report());
    a.replicator.promptDelete('r');
    for (let passed = 0; passed < 30 * E; passed += E / 3) {
      for (const replica of [a, b]) pass(replica, E / 3);
      expect(a.replicator.refresh(refresh({ promptLength: 5 }))).toBe('accepted');
      b.receive(a.take());
      for (const { replicator } of [a, b]) {
        const [row] = replicator.loadStats.engines.model('m')!.rows;
        expect([row!.queuedRequests, row!.promptLength, row!.prefillRequests]).toEqual([1, 0, 0]);
      }
    }
    a.replicator.delete('r');
    b.receive(a.take());
    for (const replica of [a, b]) expect(replica.rows()).toEqual([['10.0.0.1', 0, 0]]);
  });

  it('still counts where five adds of the id conflict (I12)', () => {
    const replicas = ['a', 'b', 'c', 'd', 'e'].map((origin) => new Replica(origin));
    for (const { replicator } of replicas) replicator.add(report());
    const adds = replicas.flatMap((replica) => replica.take());
    const [a] = replicas as [Replica];
    a.receive(adds);
    for (let i = 0; i < 40; i++) {
      pass(a, E / 10);
      a.replicator.refresh(refresh());
      expect(a.rows()).toEqual([['10.0.0.1', 1, 5]]);
    }
    expect(heldAdds(a.replicator.loadStats).length).toBeLessThanOrEqual(5);
  });
});

/** What happens to one request at one of two replicas, and how late what it publishes is at the other one. */
const step = fc.record({
  at: fc.nat({ max: 1 }),
  what: fc.oneof(
    { weight: 6, arbitrary: fc.constant('refresh' as const) },
    { weight: 1, arbitrary: fc.constantFrom('promptDelete' as const, 'delete' as const) },
  ),
  afterUs: fc.oneof(
    fc.nat({ max: SECOND }),
    fc.nat({ max: E / 3 }),
    fc.constantFrom(QUARTER, QUARTER - 1, E),
  ),
  lateUs: fc.oneof(fc.constant(0), fc.nat({ max: R })),
});

class Pair {
  readonly replicas = [new Replica('a'), new Replica('b')] as const;
  readonly oracle = new NaiveView(E, R);
  private readonly underWay: { readonly atUs: number; readonly to: Replica; payload: Uint8Array }[] = [];
  nowUs = START;

  /** Lets time go by; what is due arrives in the order of its time. */
  passTo(us: number): void {
    for (;;) {
      this.underWay.sort((x, y) => x.atUs - y.atUs);
      const next = this.underWay[0];
      if (!next || next.atUs > us) break;
      this.underWay.shift();
      this.setTime(next.atUs);
      next.to.receive([next.payload]);
    }
    this.setTime(us);
  }

  private setTime(us: number): void {
    this.nowUs = Math.max(this.nowUs, us);
    for (const replica of this.replicas) {
      replica.nowUs = this.nowUs;
      replica.replicator.loadStats.expire(this.nowUs, Infinity);
    }
  }

  do(at: number, lateUs: number, action: (replicator: Replicator) => void): void {
    const replica = this.replicas[at]!;
    action(replica.replicator);
    for (const payload of replica.take()) {
      this.oracle.arrive(eventOf(payload), this.nowUs);
      this.underWay.push({ atUs: this.nowUs + lateUs, to: this.replicas[1 - at]!, payload });
    }
  }
}

describe('A request that is refreshed and deleted at two replicas', () => {
  it('equals a naive recount at both, in every order of what comes: it counts until the newest refresh plus E, with its prompt until that is deleted, and never after its delete (I2, I3, I12)', () => {
    const ends = { counted: 0, deleted: 0 };
    fc.assert(
      fc.property(fc.array(step, { minLength: 3, maxLength: 14, size: 'max' }), (steps) => {
        const pair = new Pair();
        pair.do(0, 0, (replicator) => void replicator.add(report()));
        let deleted = false;
        let prefilled = false;
        let settledUs = START;
        for (const { at, what, afterUs, lateUs } of steps) {
          pair.passTo(pair.nowUs + afterUs);
          // A gateway that has deleted a request may still have a refresh of it under way, but not for longer than R.
          if (deleted && pair.nowUs - settledUs > R) break;
          pair.do(at, lateUs, (replicator) => {
            if (what === 'refresh') replicator.refresh(refresh({ promptLength: 5 }));
            else replicator[what]('r');
          });
          if (!deleted) settledUs = pair.nowUs;
          deleted ||= what === 'delete';
          prefilled ||= what === 'promptDelete';
          // One more where both took one at the same moment.
          const most = steps.every((each) => each.lateUs === 0) ? 5 : 6;
          for (const { replicator } of pair.replicas) {
            same(heldAdds(replicator.loadStats).length <= most, true);
          }
        }
        pair.passTo(pair.nowUs + R);
        const [counted] = pair.oracle.rows(pair.nowUs);
        if (deleted) same(counted?.queued ?? 0, 0);
        if (prefilled && counted) same(counted.prompt, 0);
        ends[deleted ? 'deleted' : 'counted'] += 1;
        for (const replica of pair.replicas) {
          const shown = replica.rows();
          // How long the row of a deleted request stays listed is another question.
          if (counted && shown.length > 0) equal(shown, [[counted.ip, counted.queued, counted.prompt]]);
          else same(counted?.queued ?? 0, 0);
        }
      }),
      { numRuns: runs(1_000) },
    );
    expect(Math.min(ends.counted, ends.deleted)).toBeGreaterThan(runs(1_000) / 10);
  });

  it('counts at both all the time while it is refreshed more often than every E (I12)', () => {
    const often = fc.record({
      at: fc.nat({ max: 1 }),
      afterUs: fc.nat({ max: E / 2 }),
      lateUs: fc.nat({ max: R }),
    });
    fc.assert(
      fc.property(fc.array(often, { minLength: 20, maxLength: 60, size: 'max' }), (refreshes) => {
        const pair = new Pair();
        pair.do(0, 0, (replicator) => void replicator.add(report()));
        pair.passTo(pair.nowUs);
        for (const { at, afterUs, lateUs } of refreshes) {
          pair.passTo(pair.nowUs + afterUs);
          pair.do(at, lateUs, (replicator) => void replicator.refresh(refresh()));
          for (const replica of pair.replicas) equal(replica.rows(), [['10.0.0.1', 1, 5]]);
        }
      }),
      { numRuns: runs(100) },
    );
  });
});
