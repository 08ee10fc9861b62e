/** The rows of a stream with own reports laid over, and the choice among them: pure. */
import fc from 'fast-check';
import { type EngineRow, pickEngine, type PickOptions } from '../../src/client/engine-row';
import type { RowChange } from '../../src/client/own-reports';
import { View } from '../../src/client/view';
import { seededRandom } from '../support/seeded-random';
import { same } from '../support/same';
import { runs } from '../support/size';

const INTERVAL_MS = 20;
/** The interval and what the view allows for the way. */
const SETTLED_MS = INTERVAL_MS + 100;
const A = '10.0.0.1';

class Watched {
  nowMs = 1_000;
  readonly view = new View(
    'm',
    INTERVAL_MS,
    { monotonicMs: () => this.nowMs, random: () => 0 },
    () => undefined,
  );

  frame(
    name: 'rows' | 'changes',
    rows: readonly (readonly [string, number, number])[],
    removed: string[] = [],
  ): void {
    const data = rows.map(([ip, queued_req_num, prompt_length]) => ({
      ip,
      queued_req_num,
      prompt_length,
      prefill_req_num: queued_req_num,
    }));
    this.view.take(name, JSON.stringify({ rows: data, removed }));
  }

  get rows(): unknown[] {
    return this.view.rows.map(({ ip, queuedRequests, promptLength }) => [ip, queuedRequests, promptLength]);
  }
}

const added = (ip = A, promptLength = 5): RowChange => ({
  ip,
  queuedRequests: 1,
  promptLength,
  prefillRequests: 1,
});
const ended = (ip = A, promptLength = 5): RowChange => ({
  ip,
  queuedRequests: -1,
  promptLength: -promptLength,
  prefillRequests: -1,
});

describe('a view', () => {
  it('has the rows of the stream: all of them, then those that changed and those that left', () => {
    const watched = new Watched();
    expect(watched.view.live).toBe(false);
    expect(watched.view.ageMs).toBe(Infinity);
    watched.frame('rows', [
      [A, 1, 5],
      ['10.0.0.2', 2, 7],
    ]);
    watched.nowMs += 30;
    expect(watched.view).toMatchObject({ live: true, ageMs: 30 });
    watched.frame('changes', [['10.0.0.3', 1, 0]], [A]);
    expect(watched.view.ageMs).toBe(0);
    expect(watched.rows).toEqual([
      ['10.0.0.2', 2, 7],
      ['10.0.0.3', 1, 0],
    ]);
    watched.view.lost();
    watched.nowMs += 50;
    watched.view.heard();
    expect(watched.view).toMatchObject({ live: false, ageMs: 50 });
    watched.frame('rows', [[A, 1, 5]]);
    expect(watched.rows).toEqual([[A, 1, 5]]);
    expect(watched.view).toMatchObject({ live: true, ageMs: 0 });
  });

  it('counts an own report at once, and once when a frame shows it', () => {
    const watched = new Watched();
    watched.frame('rows', [[A, 1, 5]]);
    const tell = watched.view.own.sending(added());
    watched.view.own.sending(added('10.0.0.9', 3));
    expect(watched.rows).toEqual([
      [A, 2, 10],
      ['10.0.0.9', 1, 3],
    ]);
    tell(watched.nowMs);
    expect(watched.rows[0]).toEqual([A, 2, 10]);
    watched.frame('changes', [['10.0.0.2', 1, 1]]);
    expect(watched.rows[0]).toEqual([A, 2, 10]);
    watched.frame('changes', [[A, 2, 10]]);
    expect(watched.rows[0]).toEqual([A, 2, 10]);
  });

  it('takes the row to have had it where no frame comes although the stream lives, and only then', () => {
    const watched = new Watched();
    watched.frame('rows', [[A, 1, 5]]);
    watched.view.own.answered(added(), watched.nowMs);
    watched.view.lost();
    watched.nowMs += 10 * SETTLED_MS;
    expect(watched.rows).toEqual([[A, 2, 10]]);
    watched.frame('rows', [[A, 2, 10]]);
    expect(watched.rows).toEqual([[A, 2, 10]]);
    watched.view.own.answered(added(), watched.nowMs);
    watched.nowMs += SETTLED_MS - 1;
    expect(watched.rows).toEqual([[A, 3, 15]]);
    watched.nowMs += 1;
    expect(watched.rows).toEqual([[A, 2, 10]]);
  });

  it('forgets a report that was given up', () => {
    const watched = new Watched();
    watched.frame('rows', []);
    const tell = watched.view.own.sending(added());
    tell(undefined);
    expect(watched.rows).toEqual([]);
  });

  it('never shows less than nothing, and is exact once its reports have settled (I2)', () => {
    const watched = new Watched();
    watched.frame('rows', [[A, 0, 0]]);
    watched.view.own.sending(ended())(watched.nowMs);
    expect(watched.rows).toEqual([[A, 0, 0]]);
    watched.view.own.answered(added(), watched.nowMs);
    expect(watched.rows).toEqual([[A, 0, 0]]);
    watched.frame('changes', [[A, 4, 9]]);
    expect(watched.rows).toEqual([[A, 4, 9]]);
    expect(watched.view.own.isEmpty).toBe(true);
  });
});

describe('the pick of an engine', () => {
  const pickRow = (
    rows: ReadonlyMap<string, EngineRow>,
    options: PickOptions,
    random: (limit: number) => number,
  ): EngineRow | undefined =>
    pickEngine(options.candidates ?? [...rows.keys()], (ip) => rows.get(ip), options, random);

  const rowsOf = (loads: readonly number[]): Map<string, EngineRow> =>
    new Map(
      loads.map((queuedRequests, i) => [
        `10.0.0.${i}`,
        { ip: `10.0.0.${i}`, queuedRequests, promptLength: 0, prefillRequests: 0 },
      ]),
    );

  it('is the least of as many different ones as it looks at, whatever chance says', () => {
    const loads = fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 12 });
    const property = fc.property(
      loads,
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
      (given, of, dice) => {
        let thrown = 0;
        const picked = pickRow(rowsOf(given), { of }, (limit) => dice[thrown++]! % limit)!;
        // No more engines than it did not look at can be less busy.
        const better = given.filter((load) => load < picked.queuedRequests).length;
        same(better <= Math.max(0, given.length - of), true);
        same(thrown, Math.min(of, given.length));
      },
    );
    fc.assert(property, { numRuns: runs(2_000) });
  });

  it('takes candidates without a row for idle ones, and weighs tokens against requests', () => {
    const rows = new Map<string, EngineRow>([
      ['a', { ip: 'a', queuedRequests: 1, promptLength: 0, prefillRequests: 0 }],
      ['b', { ip: 'b', queuedRequests: 0, promptLength: 200, prefillRequests: 1 }],
    ]);
    const random = (): number => 0;
    expect(pickRow(rows, {}, random)?.ip).toBe('a');
    expect(pickRow(rows, { requestCost: 300 }, random)?.ip).toBe('b');
    expect(pickRow(rows, { candidates: ['a', 'b', 'c'] }, random)).toEqual({
      ip: 'c',
      queuedRequests: 0,
      promptLength: 0,
      prefillRequests: 0,
    });
    expect(pickRow(rows, { candidates: [] }, random)).toBeUndefined();
  });

  it('does not send every gateway to the same engine: all that are looked at alike get their share', () => {
    const counts = new Map<string, number>();
    const chance = seededRandom(7);
    const random = (limit: number): number => Math.floor(chance() * limit);
    for (let i = 0; i < 4_000; i++) {
      const { ip } = pickRow(rowsOf([0, 1, 2, 3, 4, 5, 6, 7]), { of: 4 }, random)!;
      counts.set(ip, (counts.get(ip) ?? 0) + 1);
    }
    expect(counts.get('10.0.0.0')! / 4_000).toBeLessThan(0.6);
    expect(counts.size).toBe(5);
  });
});
