/* eslint-disable jest/no-conditional-expect -- what a random step must show depends on the step */
import fc from 'fast-check';
import { equal, same } from '../support/same';
import { newFingerprinting } from '../../src/composition/fingerprinting';
import { EngineTable } from '../../src/core/engine-table';
import { Fingerprint } from '../../src/core/fingerprint';
import { NO_SLOT } from '../../src/core/hashed-slots';
import { Add, InFlight, compareAdds } from '../../src/core/in-flight';
import { runs } from '../support/size';

const SECOND = 1_000_000;
const FINGERPRINTING = newFingerprinting();
const ROW = new EngineTable(SECOND, SECOND, FINGERPRINTING).create('m', '10.0.0.1', 0);

function addAt(timeUs: number, origin = 'o'): Add {
  return new Add('id', timeUs, { name: origin, digested: ROW.digested, adds: 1 }, ROW, 1, undefined);
}

/** A list of adds in ascending order, and its first one. */
function listOf(times: readonly number[]): Add | undefined {
  let first: Add | undefined;
  for (const timeUs of [...times].sort((a, b) => b - a)) {
    const add = addAt(timeUs);
    add.next = first;
    first = add;
  }
  return first;
}

function timesOf(first: Add | undefined): number[] {
  const times: number[] = [];
  for (let add = first; add; add = add.next) times.push(add.timeUs);
  return times;
}

describe('InFlight', () => {
  const times = fc.array(fc.nat({ max: 8 * SECOND }), { minLength: 1, maxLength: 3 });
  const step = fc.record({
    kind: fc.constantFrom('put', 'put', 'put', 'remove', 'expire'),
    id: fc.nat({ max: 5 }),
    times,
    untilUs: fc.nat({ max: 9 * SECOND }),
  });

  it('is a Map from ids to lists of adds, found by second and expired in the order of time', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
        const inFlight = new InFlight();
        const fingerprint = new Fingerprint(FINGERPRINTING);
        const keyOf = (id: number): Fingerprint => fingerprint.set(id, id, id, id);
        const model = new Map<number, number[]>();
        for (const { kind, id, times, untilUs } of steps) {
          const slot = inFlight.find(keyOf(id));
          same(slot === NO_SLOT, !model.has(id));
          if (kind === 'put') {
            const sorted = [...times].sort((a, b) => a - b);
            if (slot === NO_SLOT) {
              const first = listOf(sorted)!;
              const made = inFlight.insert(keyOf(id), first);
              inFlight.replace(made, first);
            } else inFlight.replace(slot, listOf(sorted));
            model.set(id, sorted);
          } else if (kind === 'remove' && slot !== NO_SLOT) {
            inFlight.replace(slot, undefined);
            model.delete(id);
          } else if (kind === 'expire') {
            const done = inFlight.expire(untilUs, Infinity, (due) => {
              const left = timesOf(inFlight.firstOf(due)).filter((timeUs) => timeUs > untilUs);
              inFlight.replace(due, listOf(left));
            });
            expect(done).toBe(true);
            for (const [key, held] of model) {
              const left = held.filter((timeUs) => timeUs > untilUs);
              if (left.length > 0) model.set(key, left);
              else model.delete(key);
            }
          }
          expect(inFlight.size).toBe(model.size);
        }
        for (const [id, held] of model) equal(timesOf(inFlight.firstOf(inFlight.find(keyOf(id)))), held);
        for (let second = 0; second <= 8; second++) {
          const found = new Set(
            [...inFlight.ofSecond(second, Infinity)!, ...inFlight.conflicts].map(
              (slot) => inFlight.idOf(slot, fingerprint).w0,
            ),
          );
          const inSecond = [...model].filter(([, held]) =>
            held.some((t) => Math.floor(t / SECOND) === second),
          );
          for (const [id] of inSecond) expect(found).toContain(id);
        }
      }),
      { numRuns: runs(1000) },
    );
  });

  it('orders adds by time, then by origin, then by anything else that differs', () => {
    const fields = {
      timeUs: 5,
      origin: 'o',
      cluster: 'm',
      ip: '10.0.0.1',
      promptLength: 1,
      timestampNs: undefined,
    };
    const add = addAt(5);
    expect(compareAdds(add, fields)).toBe(0);
    expect(compareAdds(add, { ...fields, timeUs: 6, origin: 'a' })).toBeLessThan(0);
    expect(compareAdds(add, { ...fields, origin: 'p', cluster: 'a' })).toBeLessThan(0);
    expect(compareAdds(add, { ...fields, origin: 'a' })).toBeGreaterThan(0);
    for (const other of [{ cluster: 'n' }, { ip: '10.0.0.2' }, { promptLength: 2 }, { timestampNs: 1n }]) {
      expect(compareAdds(add, { ...fields, ...other })).toBeLessThan(0);
    }
  });
});
