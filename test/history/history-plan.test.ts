import type { HistoryJob } from '../../src/history/history-plan';
import { HistoryPlan } from '../../src/history/history-plan';

const SECOND = 1_000_000;
const OPTIONS = {
  checkEveryUs: 5 * SECOND,
  retryUs: SECOND,
  retryMostUs: 4 * SECOND,
  patienceUs: 6 * SECOND,
  silenceUs: 30 * SECOND,
};

let plan: HistoryPlan;
let now: number;

beforeEach(() => {
  plan = new HistoryPlan(OPTIONS);
  now = 1000 * SECOND;
});

function next(): HistoryJob | undefined {
  return plan.next(now);
}

/** Brings the plan to where the stream stands and was replayed. */
function catchUp(reachesBack = true): void {
  plan.busChanged(true, now);
  expect(next()).toEqual({ kind: 'prepare' });
  plan.prepared(now);
  expect(next()).toEqual({ kind: 'replay', since: 'start' });
  plan.replayed('start', reachesBack, now);
}

describe('The plan for the history', () => {
  it('waits for the bus, then prepares, replays everything, and looks now and then', () => {
    expect([next(), plan.state]).toEqual([undefined, 'starting']);
    plan.busChanged(true, now);
    expect(next()).toEqual({ kind: 'prepare' });
    expect([next(), plan.state, plan.available]).toEqual([undefined, 'starting', false]);
    plan.prepared(now);
    expect(plan.available).toBe(true);
    expect(next()).toEqual({ kind: 'replay', since: 'start' });
    expect([next(), plan.state]).toEqual([undefined, 'replaying']);
    plan.replayed('start', true, now);
    expect([next(), plan.state]).toEqual([undefined, 'done']);
    now += OPTIONS.checkEveryUs;
    expect(next()).toEqual({ kind: 'check' });
    plan.checked(now);
    expect(next()).toBeUndefined();
  });

  it('ends partial where the stream may begin too late', () => {
    catchUp(false);
    expect(plan.state).toBe('young');
  });

  it('keeps hoping while failures are likely to pass, but not for ever; and goes on trying with growing pauses', () => {
    plan.busChanged(true, now);
    const pauses: number[] = [];
    const states: string[] = [];
    let failedAt = now;
    while (pauses.length < 5) {
      const job = next();
      if (job) {
        pauses.push((now - failedAt) / SECOND);
        failedAt = now;
        plan.failed(job, true, now);
        states.push(plan.state);
      } else now += SECOND;
    }
    expect(pauses).toEqual([0, 1, 2, 4, 4]);
    expect(states).toEqual(['starting', 'starting', 'starting', 'none', 'none']);
  });

  it('gives up hope at once where it is refused, and takes it up when the stream can be had after all', () => {
    plan.busChanged(true, now);
    plan.failed(next()!, false, now);
    expect([plan.state, plan.wasAvailable]).toEqual(['none', false]);
    now += SECOND;
    expect(next()).toEqual({ kind: 'prepare' });
    plan.prepared(now);
    expect([next()?.kind, plan.state, plan.wasAvailable]).toEqual(['replay', 'replaying', true]);
  });

  it('replays anew what failed in the middle', () => {
    plan.busChanged(true, now);
    next();
    plan.prepared(now);
    plan.failed(next()!, true, now);
    expect([plan.available, plan.state]).toEqual([false, 'starting']);
    now += SECOND;
    expect(next()).toEqual({ kind: 'prepare' });
    plan.prepared(now);
    expect(next()).toEqual({ kind: 'replay', since: 'start' });
  });

  it('prepares at once when the bus is back, and replays from before it may have fallen silent', () => {
    catchUp();
    now += 100 * SECOND;
    plan.busChanged(false, now);
    expect([next(), plan.available, plan.state]).toEqual([undefined, false, 'done']);
    const lostAt = now;
    now += 10 * SECOND;
    plan.busChanged(true, now);
    expect(next()).toEqual({ kind: 'prepare' });
    plan.prepared(now);
    expect(next()).toEqual({ kind: 'replay', since: { timeUs: lostAt - OPTIONS.silenceUs } });
  });

  it('takes a job that ends after the bus was lost as no sign that the stream is there', () => {
    plan.busChanged(true, now);
    next();
    plan.busChanged(false, now);
    plan.prepared(now);
    expect([plan.available, next()]).toEqual([false, undefined]);
  });

  it('replays on request, one at a time, while there is a stream', () => {
    expect(plan.request({ timeUs: 5 })).toBe(false);
    catchUp();
    expect([plan.request({ timeUs: 5 }), plan.request('start')]).toEqual([true, false]);
    expect(next()).toEqual({ kind: 'replay', since: { timeUs: 5 } });
    expect(plan.request('start')).toBe(false);
    plan.replayed({ timeUs: 5 }, true, now);
    expect(plan.request('start')).toBe(true);
  });

  it('makes the stream anew when it is gone', () => {
    catchUp();
    now += OPTIONS.checkEveryUs;
    plan.failed(next()!, true, now);
    expect([plan.available, plan.wasAvailable, plan.state]).toEqual([false, true, 'done']);
    now += SECOND;
    expect(next()).toEqual({ kind: 'prepare' });
    plan.prepared(now);
    expect([plan.available, next()]).toEqual([true, undefined]);
  });
});
