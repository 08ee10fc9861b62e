/** The reports that wait in the client: bounded, in order, and a delete is given up last. */
import fc from 'fast-check';
import { GIVEN_UP_IN_THIS_ORDER, type Op, type Report, ReportQueue } from '../../src/client/report-queue';
import { equal } from '../support/same';
import { runs } from '../support/size';

let made = 0;
const report = (op: Op, bytes = 10): Report => ({ op, json: `${op} ${made++}`, bytes, sent: 0, refused: 0 });
const ops = fc.constantFrom(...GIVEN_UP_IN_THIS_ORDER);

describe('the queue of reports', () => {
  it('gives back what was put in, lane by lane and in order, however it is taken and put back', () => {
    const steps = fc.array(
      fc.record({ lane: fc.constantFrom('a', 'b'), op: ops, take: fc.nat({ max: 4 }), back: fc.boolean() }),
      { maxLength: 60 },
    );
    const property = fc.property(steps, (given) => {
      const queue = new ReportQueue(1_000);
      const model: Record<string, Report[]> = { a: [], b: [] };
      for (const { lane, op, take, back } of given) {
        const pushed = report(op);
        queue.push(lane, pushed);
        model[lane]!.push(pushed);
        const taken = queue.take(lane, take);
        equal(taken, model[lane]!.slice(0, take));
        if (back) queue.putBack(lane, taken);
        else model[lane] = model[lane]!.slice(take);
        equal([queue.waitsIn('a'), queue.waitsIn('b')], [model['a']!.length, model['b']!.length]);
        equal(queue.size, model['a']!.length + model['b']!.length);
      }
    });
    fc.assert(property, { numRuns: runs(1_000) });
  });

  it('never holds more than it may, and gives up no delete while there is anything else (I7)', () => {
    const property = fc.property(
      fc.array(ops, { maxLength: 80 }),
      fc.integer({ min: 1, max: 10 }),
      (given, most) => {
        const queue = new ReportQueue(most);
        let settled = 0;
        for (const op of given) {
          queue.push('a', {
            ...report(op),
            settled: (outcome) => (settled += outcome === 'given up' ? 1 : 0),
          });
          equal(queue.size <= most, true);
        }
        const left = queue.take('a', most).map(({ op }) => op);
        const count = (of: readonly Op[], op: Op): number => of.filter((each) => each === op).length;
        const gone = Object.values(queue.givenUp).reduce((sum, each) => sum + each, 0);
        equal(gone, given.length - left.length);
        equal(settled, gone);
        for (const op of GIVEN_UP_IN_THIS_ORDER) equal(queue.givenUp[op], count(given, op) - count(left, op));
        if (queue.givenUp.delete > 0) equal(new Set(left), new Set(['delete']));
      },
    );
    fc.assert(property, { numRuns: runs(1_000) });
  });

  it('gives no more at once than a body may hold', () => {
    const queue = new ReportQueue(1_000);
    for (let i = 0; i < 200; i++) queue.push('a', report('add', 3_000));
    const taken = queue.take('a', 128);
    expect(taken).toHaveLength(87);
    queue.push('b', report('add', 400_000));
    expect(queue.take('b', 128)).toHaveLength(1);
  });
});
