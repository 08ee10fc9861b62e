/** When a starting replica counts as caught up: every cell of the table, and what stands above it. */
import type { HistoryState, JoiningState, PeersState, Surroundings } from '../../src/repair/joining';
import { JOINING, joined } from '../../src/repair/joining';

const STARTING: JoiningState = { ready: false, caughtUp: false, reason: 'starting' };
const HISTORIES: readonly HistoryState[] = ['none', 'failing', 'starting', 'replaying', 'young', 'done'];

/** R: ready; a letter: why it waits (Discovery, History, Pulling, a Waiting for a ready peer). */
const EXPECTED: Readonly<Record<PeersState, string>> = {
  //       none failing starting replaying young done
  unknown: 'DDDDDR',
  none: 'RHHHRR',
  unasked: 'WHHHWR',
  joining: 'WHHHRR',
  empty: 'RHHHRR',
  owing: 'PPPPPP',
  unable: 'PPPPPR',
  shown: 'RRRRRR',
};
const REASONS = {
  R: /^(history|caught|there is no|no event)/,
  D: /discovery/,
  H: /history/,
  P: /pulling/,
  W: /ready peer/,
};

const cells = Object.entries(EXPECTED).flatMap(([peers, row]) =>
  HISTORIES.map((history, i) => [peers as PeersState, history, row[i] as keyof typeof REASONS] as const),
);

const around = (history: HistoryState): Surroundings => ({ busConnected: true, peersKnown: true, history });

it('the table has no other cells than those that are expected', () => {
  expect(Object.keys(JOINING)).toEqual(Object.keys(EXPECTED));
  expect(cells).toHaveLength(48);
});

it.each(cells)('peers %s, history %s: %s', (peers, history, expected) => {
  const state = joined(STARTING, around(history), peers, false);
  const isReady = expected === 'R';
  expect(state).toMatchObject({ ready: isReady, caughtUp: isReady });
  expect(state.reason).toMatch(REASONS[expected]);
  // Without the bus nothing counts.
  expect(joined(STARTING, { ...around(history), busConnected: false }, peers, false)).toMatchObject({
    ready: false,
    reason: 'waiting for the bus',
  });
  // The time-out makes it ready, degraded, and it may still catch up.
  const late = joined(STARTING, around(history), peers, true);
  expect(late).toMatchObject({ ready: true, caughtUp: isReady });
  expect(joined(late, around('done'), 'none', true)).toMatchObject({ ready: true, caughtUp: true });
  // Nothing does without a history that is required.
  const missing = { ...around(history), historyMissing: 'no JetStream' };
  expect(joined(STARTING, missing, peers, true)).toEqual({
    ready: false,
    caughtUp: false,
    reason: 'history is required: no JetStream',
  });
});

it('once it has caught up it stays so', () => {
  const state: JoiningState = { ready: true, caughtUp: true, reason: 'caught up with its peers' };
  expect(joined(state, { ...around('none'), busConnected: false }, 'unknown', true)).toBe(state);
});

it('says what the time-out did not wait for', () => {
  const late = (history: HistoryState, busConnected = true): string =>
    joined(STARTING, { ...around(history), busConnected }, 'unasked', true).reason;
  expect(late('none')).toBe('no ready peer within the ready time-out');
  expect(late('failing')).toBe('history not replayed within the ready time-out');
  expect(late('none', false)).toBe('no bus within the ready time-out');
});
