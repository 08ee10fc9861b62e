/** What is said of a limit, as its use and the reports that it refuses go up and down. */
import { LimitWatch } from '../../src/observability/limit-watch';

function setUp() {
  const state = { now: 0, use: 0, refused: 0, watchers: 0 };
  const lines: [string, object][] = [];
  const watch = new LimitWatch(
    [
      { name: 'in_flight', most: 10, use: () => state.use, refused: () => state.refused },
      { name: 'watchers', most: 5, use: () => state.watchers, refusesReaders: true },
    ],
    (fields, message) => lines.push([message, fields]),
    () => state.now,
  );
  return { state, lines, watch };
}

it('a limit that is reached is said once, and once that it is over', () => {
  const { state, lines, watch } = setUp();
  watch.look();
  expect(lines).toEqual([]);
  state.use = 10;
  for (; state.now < 60_000; state.now += 1_000) watch.look();
  expect(watch.reached()).toEqual({ in_flight: { use: 10, most: 10, refused: 0 } });
  expect(watch.degrades).toBe(true);
  state.use = 3;
  for (; state.now < 120_000; state.now += 1_000) watch.look();
  expect(watch.reached()).toEqual({});
  expect(watch.degrades).toBe(false);
  expect(lines).toEqual([
    ['limit reached', { limit: 'in_flight', use: 10, most: 10, refused: 0 }],
    ['limit no longer reached', { limit: 'in_flight', use: 3, most: 10, refused: 0 }],
  ]);
});

it('a limit that refuses reports between two looks is reached, though it never is when looked at', () => {
  const { state, lines, watch } = setUp();
  state.use = 9;
  for (; state.now < 60_000; state.now += 1_000) {
    state.refused += 7;
    watch.look();
  }
  expect(lines).toEqual([['limit reached', { limit: 'in_flight', use: 9, most: 10, refused: 7 }]]);
  expect(watch.reached()).toMatchObject({ in_flight: { refused: 420 } });
});

it('a limit of readers is said, but loses no report', () => {
  const { state, lines, watch } = setUp();
  state.watchers = 5;
  expect(watch.reached()).toEqual({ watchers: { use: 5, most: 5, refused: 0 } });
  expect(watch.degrades).toBe(false);
  expect(lines).toHaveLength(1);
});
