import { newFingerprinting } from '../../src/composition/fingerprinting';
import { CausalContext } from '../../src/core/causal-context';
import type { LoadEvent } from '../../src/core/event';
import { LoadStats } from '../../src/core/load-stats';
import { Agreement } from '../../src/repair/agreement';
import { compareDigests, digestsOf } from '../../src/repair/digests';

const SECOND = 1_000_000;
const E = 100 * SECOND;
const R = 10 * SECOND;
const START = 1_000 * SECOND;
const CEILING = 1000;

class Replica {
  readonly stats = new LoadStats({
    expireAfterUs: E,
    finishedRetentionUs: R,
    inFlightCeiling: CEILING,
    engineCeiling: CEILING,
    finishedCeiling: CEILING,
    waitingCeiling: CEILING,
    ownerCeiling: CEILING,
    fingerprinting: newFingerprinting(),
  });
  readonly context = new CausalContext({
    forgetAfterUs: 2 * (E + R),
    maxOrigins: 10,
    maxIntervals: 10,
    maxIntervalsInAll: 1000,
  });

  sees(event: LoadEvent): void {
    this.stats.apply(event, event.timeUs);
    this.claims(event);
  }

  claims({ origin, seq, timeUs }: LoadEvent): void {
    this.context.observe(origin, seq, timeUs, timeUs);
  }
}

function add(origin: string, seq: number, second: number): LoadEvent {
  const row = { cluster: 'm', ip: '10.0.0.1', promptLength: 1, timestampNs: undefined };
  const timeUs = START + second * SECOND;
  return { type: 'add', origin, seq, timeUs, requestId: `${origin}-${seq}`, ...row };
}

function end(origin: string, seq: number, second: number, requestId: string): LoadEvent {
  return { type: 'delete', origin, seq, timeUs: START + second * SECOND, requestId };
}

/** Reports go on all the while: at every look one side has an event that the other one lacks. */
function look(agreement: Agreement, ours: Replica, theirs: Replica, seq: number): string {
  const onItsWay = add('busy', seq, 20 + seq);
  ours.sees(onItsWay);
  const { differences } = compareDigests(ours.stats, digestsOf(theirs.stats, START), START);
  const state = agreement.check(() => ours.context.copy(), theirs.context.copy(), differences, START - E - R);
  theirs.sees(onItsWay);
  return state;
}

describe('Agreement', () => {
  it('is reached while there are events under way', () => {
    const [ours, theirs] = [new Replica(), new Replica()];
    const agreement = new Agreement();
    const looks = [1, 2, 3, 4].map((seq) => look(agreement, ours, theirs, seq));
    expect(looks).toEqual(['open', 'agreed', 'open', 'agreed']);
  });

  it('is missed when one side has lost a record that it has seen, though contexts are never equal', () => {
    const [ours, theirs] = [new Replica(), new Replica()];
    ours.sees(add('a', 1, 1));
    theirs.claims(add('a', 1, 1));
    const agreement = new Agreement();
    const looks = [1, 2, 3].map((seq) => look(agreement, ours, theirs, seq));
    expect(looks).toEqual(['open', 'open', 'diverged']);
  });

  it('is waited for while one side lacks what the other one had at the look before', () => {
    const [ours, theirs] = [new Replica(), new Replica()];
    theirs.sees(add('a', 1, 1));
    const agreement = new Agreement();
    expect([1, 2, 3].map((seq) => look(agreement, ours, theirs, seq))).toEqual([
      'open',
      'waiting',
      'waiting',
    ]);
    ours.sees(add('a', 1, 1));
    expect(look(agreement, ours, theirs, 4)).toBe('agreed');
  });

  it('is not missed when a request came and went on one side between two looks', () => {
    const [ours, theirs] = [new Replica(), new Replica()];
    theirs.sees(add('a', 1, 1));
    const agreement = new Agreement();
    expect(look(agreement, ours, theirs, 1)).toBe('open');
    ours.sees(add('a', 1, 1));
    ours.sees(end('a', 2, 2, 'a-1'));
    expect(look(agreement, ours, theirs, 2)).toBe('open');
    theirs.sees(end('a', 2, 2, 'a-1'));
    expect(look(agreement, ours, theirs, 3)).toBe('agreed');
  });

  it('is not expected of what one side holds unclaimed of a loss', () => {
    const [ours, theirs] = [new Replica(), new Replica()];
    ours.stats.apply(add('a', 1, 1), START + SECOND);
    for (const { context } of [ours, theirs]) context.announce('a', 1, START, START);
    const agreement = new Agreement();
    const looks = [1, 2, 3].map((seq) => look(agreement, ours, theirs, seq));
    expect(looks).toEqual(['open', 'open', 'incomplete']);
  });
});
