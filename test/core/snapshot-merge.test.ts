/* eslint-disable jest/no-conditional-expect -- a line may be refused, if only by a SnapshotFault */
import fc from 'fast-check';
import { CausalContext } from '../../src/core/causal-context';
import { snapshotLines } from '../../src/core/snapshot';
import { SnapshotFault, SnapshotMerge } from '../../src/core/snapshot-merge';
import type { LoadStats } from '../../src/core/load-stats';
import { E, R, SECOND, newView } from './steps';
import { expectConsistent, stateOf } from './view-inspection';
import { codePoint } from '../support/code-point';
import { runs } from '../support/size';

const NOW = 1_000 * SECOND;
const CONTEXT = { forgetAfterUs: 2 * (E + R), maxOrigins: 10, maxIntervals: 10, maxIntervalsInAll: 1000 };

const text = fc.oneof(
  fc.constantFrom(
    'o',
    'cluster',
    'a"b',
    'a\\b',
    'a\nb',
    '',
    '\ud800',
    'é',
    '🙂',
    'x'.repeat(65),
    'x'.repeat(300),
  ),
  fc.string({ maxLength: 10 }),
  fc.string({ unit: codePoint, maxLength: 10 }),
);
const ip = fc.constantFrom('10.0.0.1', '10.0.0.2', '01.0.0.1', 'x');
const time = fc.oneof(fc.integer({ min: NOW - E - R, max: NOW + R }), fc.maxSafeInteger(), fc.double());
const count = fc.oneof(fc.nat({ max: 2 }), fc.maxSafeInteger(), fc.double());
const word = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer(), fc.double());
const timestamp = fc.oneof(fc.constantFrom(null, '1732222222123456789', '-1', '1.5', 5), text);

const owner = fc.oneof(fc.constantFrom('gw-1', 'gw-2', 'g"w', 'g w'), text);
const ownerTime = fc.oneof(fc.constant(0), time);

/** Lines that a broken or lying peer may send: the forms are right, what is in them is anything. */
const record = fc.oneof(
  fc.tuple(fc.constant('row'), fc.nat({ max: 2 }), fc.oneof(fc.constant('m'), text), ip, time),
  fc.tuple(fc.constant('add'), count, text, time, text, count, timestamp),
  fc.tuple(fc.constant('add'), count, text, time, text, count, timestamp, time),
  fc.tuple(
    fc.constant('add'),
    count,
    text,
    time,
    text,
    count,
    timestamp,
    fc.oneof(fc.constant(null), time),
    owner,
  ),
  fc.tuple(
    fc.constant('owner'),
    owner,
    ownerTime,
    fc.oneof(fc.constantFrom(3_000, 300_000), count),
    ownerTime,
    ownerTime,
  ),
  fc.tuple(fc.constant('prompt-delete'), word, word, word, word, time),
  fc.tuple(fc.constant('delete'), word, word, word, word, time, count),
);
const header = fc.record({
  snapshot: fc.constant(2),
  deployment: fc.constant('d'),
  speaks: fc.constantFrom(1, 2),
  replica: text,
  ready: fc.boolean(),
  context: fc.array(fc.tuple(text, time, count, count, count), { maxLength: 2 }),
});

function merge(view: LoadStats, lines: Iterable<string>, own: string): SnapshotMerge {
  const merging = new SnapshotMerge(view, CONTEXT, { replica: own, deployment: 'd', speaks: 2 });
  for (const line of lines) merging.line(line, NOW);
  return merging;
}

describe('What a peer sends as its snapshot', () => {
  it('leaves a replica that can show others all that it has, whatever it was (I1, I7, I8)', () => {
    fc.assert(
      fc.property(header, fc.array(record, { maxLength: 20 }), (head, records) => {
        const view = newView();
        // Each alone, so that a bad one does not keep the others away.
        for (const each of records) {
          const row = ['row', 0, 'm', '10.0.0.1', NOW];
          const lines = [
            { ...head, deployment: 'd', speaks: 2, replica: 'peer', context: [] },
            row,
            each,
          ].map((line) => JSON.stringify(line));
          try {
            merge(view, lines, 'own');
          } catch (error) {
            expect(error).toBeInstanceOf(SnapshotFault);
          }
        }
        expectConsistent(view);
        const context = new CausalContext(CONTEXT);
        try {
          context.join(merge(newView(), [JSON.stringify(head)], 'own').context!, 'own', NOW);
        } catch (error) {
          expect(error).toBeInstanceOf(SnapshotFault);
        }
        const other = newView();
        const shown = merge(
          other,
          snapshotLines(view, context, { replica: 'own', deployment: 'd', speaks: 2, ready: true }),
          'other',
        );
        expect([shown.complete, shown.refused]).toEqual([true, 0]);
        expect(stateOf(other)).toEqual(stateOf(view));
      }),
      { numRuns: runs(2_000) },
    );
  });

  it('is refused where it claims to have seen more than any replica keeps track of (I7)', () => {
    const header = (context: unknown[]): string =>
      JSON.stringify({ snapshot: 2, deployment: 'd', speaks: 2, replica: 'peer', ready: true, context });
    const holes = (count: number): number[] =>
      Array.from({ length: count }, (_, i) => [2 * i + 1, 2 * i + 1]).flat();
    const origins = (count: number): unknown[] =>
      Array.from({ length: count }, (_, i) => [`o${i}`, NOW, 1, 1, 1]);
    for (const good of [[['o', NOW, 20, ...holes(10)]], origins(10)]) {
      expect(merge(newView(), [header(good)], 'own').context).toBeDefined();
    }
    for (const bad of [[['o', NOW, 22, ...holes(11)]], origins(11)]) {
      expect(() => merge(newView(), [header(bad)], 'own')).toThrow(SnapshotFault);
    }
  });

  it('is refused where it names more rows than there may be (I7)', () => {
    const rows = (count: number): string[] =>
      Array.from({ length: count }, (_, i) => JSON.stringify(['row', i, 'm', '10.0.0.1', NOW]));
    const head = JSON.stringify({
      snapshot: 2,
      deployment: 'd',
      speaks: 2,
      replica: 'peer',
      ready: true,
      context: [],
    });
    const view = (): LoadStats => newView({ engineCeiling: 5 });
    expect(merge(view(), [head, ...rows(5)], 'own').records).toBe(5);
    expect(() => merge(view(), [head, ...rows(6)], 'own')).toThrow('too many rows');
  });

  it('is not complete where its end counts other records than came (I4)', () => {
    const lines = [
      { snapshot: 2, deployment: 'd', speaks: 2, replica: 'peer', ready: true, context: [] },
      ['row', 0, 'm', '10.0.0.1', NOW],
    ].map((line) => JSON.stringify(line));
    expect(merge(newView(), [...lines, '["end",1]'], 'own').complete).toBe(true);
    expect(() => merge(newView(), [...lines, '["end",2]'], 'own')).toThrow('records are missing');
  });
});

test('a second with more records than are copied at once is shown whole, though they go on meanwhile (I4, I7)', () => {
  const limits = { inFlightCeiling: 60_000, waitingCeiling: 50_000, finishedCeiling: 200_000 };
  const source = newView(limits);
  const context = new CausalContext(CONTEXT);
  const timeUs = NOW - 10 * SECOND;
  let seq = 0;
  const sees = (event: { type: 'add' | 'delete'; requestId: string; timeUs: number }): void => {
    const row = { cluster: 'm', ip: '10.0.0.1', promptLength: 1, timestampNs: undefined };
    source.apply({ ...row, ...event, origin: 'o', seq: ++seq }, NOW);
  };
  for (let i = 0; i < 25_000; i++) {
    sees({ type: 'add', requestId: `held-${i}`, timeUs });
    sees({ type: 'add', requestId: `twice-${i}`, timeUs: timeUs + 3 * SECOND });
    sees({ type: 'add', requestId: `twice-${i}`, timeUs: timeUs + 5 * SECOND });
    sees({ type: 'delete', requestId: `gone-${i}`, timeUs });
  }
  const seconds = [timeUs / SECOND, timeUs / SECOND - 1];
  const since = [source.deletes.raises, source.promptDeletes.raises] as const;
  const selection = { adds: seconds, deletions: seconds, since };
  const from = { replica: 'o', ready: true, deployment: 'd', speaks: 2 };
  const target = newView(limits);
  const merge = new SnapshotMerge(target, CONTEXT, { ...from, replica: 'own' });
  let lines = 0;
  for (const line of snapshotLines(source, context, from, selection)) {
    merge.line(line, NOW);
    // Of some the add has been shown by then, of others it has not; and deletes move to another second.
    if (++lines % 1_000 === 0 && lines < 45_000) {
      sees({ type: 'delete', requestId: `held-${(lines * 7) % 25_000}`, timeUs: NOW });
      sees({ type: 'delete', requestId: `gone-${(lines * 7) % 25_000}`, timeUs: NOW });
    }
  }
  expect(lines).toBeGreaterThan(100_000);
  expect(merge.complete).toBe(true);
  expect(target.inFlight.size).toBe(source.inFlight.size);
  for (const digest of ['addDigest', 'deletionDigest'] as const)
    expect(target[digest].since(0)).toEqual(source[digest].since(0));
});
