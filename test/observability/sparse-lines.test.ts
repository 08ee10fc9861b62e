/** What is written of causes that come as often as somebody on the bus likes. */
import { SparseLines } from '../../src/observability/sparse-lines';

function setUp() {
  const state = { now: 0 };
  const lines = new SparseLines(() => state.now);
  const written: string[] = [];
  const say = (cause: string, what: string): void =>
    lines.say(cause, (more) => written.push(`${what} +${more}`));
  return { state, lines, written, say };
}

it('a cause that comes all the time is one line a period, which counts the others (I7)', () => {
  const { state, lines, written, say } = setUp();
  for (let i = 0; i < 350; i++, state.now += 100) say('forged', String(i));
  expect(written).toEqual(['0 +0', '100 +99', '200 +99', '300 +99']);
  for (; state.now < 60_000; state.now += 100) lines.flush();
  expect(written.slice(4)).toEqual(['349 +48']);
});

it('at the end nothing waits any more: it would never be said', () => {
  const { lines, written, say } = setUp();
  for (let i = 0; i < 3; i++) say('lost', String(i));
  lines.finish();
  expect(written).toEqual(['0 +0', '2 +1']);
});

it('causes do not wait for each other, and what has been quiet is said at once', () => {
  const { state, lines, written, say } = setUp();
  say('a', 'a1');
  say('b', 'b1');
  state.now = 30_000;
  lines.flush();
  say('a', 'a2');
  expect(written).toEqual(['a1 +0', 'b1 +0', 'a2 +0']);
});

it('nothing is kept of causes that have ceased (I7)', () => {
  const { state, lines, say } = setUp();
  for (let i = 0; i < 100; i++) say(`peer ${i}`, 'x');
  state.now = 20_000;
  lines.flush();
  expect(lines['causes'].size).toBe(0);
});
