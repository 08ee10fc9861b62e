/** When a starting replica counts as caught up, as far as the history has a say in it. */
import { CausalContext } from '../../src/core/causal-context';
import { LoadStats } from '../../src/core/load-stats';
import { AntiEntropy } from '../../src/replication/anti-entropy';
import type { AntiEntropyPort } from '../../src/replication/anti-entropy-port';
import type { PeerStatus } from '../../src/replication/peer-table';
import type { HistoryState, JoiningState } from '../../src/replication/joining';
import { Joining } from '../../src/replication/joining';
import { CONTEXT_LIMITS, antiEntropyOptions, loadStatsOptions } from '../../src/replication/limits';

const SECOND = 1_000_000;
const START = 1_700_000_000 * SECOND;
const READY_TIMEOUT = 10 * SECOND;
const PEER = '10.0.0.1';
const STATS = loadStatsOptions({
  expireAfterMs: 600_000,
  finishedRetentionMs: 60_000,
  maxInFlight: 100,
  maxEngines: 100,
});
const CONTEXT = { ...CONTEXT_LIMITS, forgetAfterUs: 1320 * SECOND };

class Starting implements AntiEntropyPort {
  readonly context = new CausalContext(CONTEXT);
  readonly antiEntropy = new AntiEntropy(
    new LoadStats(STATS),
    this.context,
    this,
    () => 0.5,
    antiEntropyOptions('me', STATS),
    START,
  );
  readonly joining = new Joining(this.antiEntropy, this.context, START, {
    readyTimeoutUs: READY_TIMEOUT,
    retryUs: SECOND / 4,
    slowAfterUs: 2 * SECOND,
  });
  readonly asked: string[] = [];
  private nowUs = START;

  compare(address: string): void {
    this.asked.push(address);
  }
  pull(): void {
    throw new Error('nobody has anything');
  }
  nudge(): void {
    // Nobody to nudge.
  }
  replay(): boolean {
    return false;
  }
  report(): void {
    // Nothing to tell.
  }

  /** A peer with one event that this replica has not seen. */
  meets(ready: boolean): PeerStatus {
    const context = new CausalContext(CONTEXT);
    context.observe('x', 1, START, START);
    const status = { replica: 'other', ready, context, digests: undefined };
    this.antiEntropy.setPeers([PEER]);
    this.antiEntropy.observe(PEER, status, START);
    return status;
  }

  poll(history: HistoryState, afterUs = 0, historyMissing?: string): JoiningState {
    this.nowUs = Math.max(this.nowUs, START + afterUs);
    return this.joining.poll({ busConnected: true, peersKnown: true, history, historyMissing }, this.nowUs);
  }
}

it('a history that reaches back far enough makes ready, alone and beside peers that are joining', () => {
  const alone = new Starting();
  expect(alone.poll('done')).toMatchObject({ ready: true, caughtUp: true });
  const beside = new Starting();
  beside.meets(false);
  expect(beside.poll('done')).toMatchObject({ ready: true, caughtUp: true });
});

it('a history that seems complete does not make ready before a ready peer was asked: it may have been purged', () => {
  const starting = new Starting();
  starting.meets(true);
  expect(starting.poll('done')).toEqual({ ready: false, reason: 'pulling a snapshot from a peer' });
  expect(starting.asked).toEqual([PEER]);
  starting.joining.answered(PEER, false);
  expect(starting.poll('done')).toMatchObject({ ready: true, caughtUp: true, reason: 'history replayed' });
});

it.each(['starting', 'replaying'] as const)(
  'neither the absence of peers nor one that is joining counts while the history is %s',
  (history) => {
    const alone = new Starting();
    expect(alone.poll(history, READY_TIMEOUT - 1)).toEqual({ ready: false, reason: 'replaying history' });
    const beside = new Starting();
    beside.meets(false);
    expect(beside.poll(history)).toMatchObject({ ready: false });
    // The peer is asked at the same time.
    expect(beside.asked).toEqual([PEER]);
    expect(beside.poll(history, READY_TIMEOUT)).toMatchObject({ ready: true, caughtUp: false });
    expect(beside.poll('done', READY_TIMEOUT + SECOND)).toMatchObject({ ready: true, caughtUp: true });
  },
);

it('a history that may begin too late makes ready where no peer is, and waits for one that is', () => {
  expect(new Starting().poll('young')).toMatchObject({ ready: true, caughtUp: true });

  const besideReady = new Starting();
  besideReady.meets(true);
  expect(besideReady.poll('young')).toEqual({ ready: false, reason: 'pulling a snapshot from a peer' });
  expect(besideReady.asked).toEqual([PEER]);
  besideReady.joining.answered(PEER, true);
  expect(besideReady.poll('young')).toMatchObject({ ready: true, reason: 'caught up with its peers' });

  const besideJoining = new Starting();
  besideJoining.meets(false);
  expect(besideJoining.poll('young')).toMatchObject({ ready: false });
  besideJoining.joining.answered(PEER, false);
  expect(besideJoining.poll('young')).toMatchObject({ ready: true, caughtUp: true });
});

it('history that is required and missing outlasts the time-out and a ready peer', () => {
  const starting = new Starting();
  starting.meets(true);
  expect(starting.poll('none', READY_TIMEOUT * 2, 'no JetStream')).toEqual({
    ready: false,
    reason: 'history is required: no JetStream',
  });
  expect(starting.poll('replaying', READY_TIMEOUT * 2)).toMatchObject({ ready: true, caughtUp: false });
});

it('a ready peer that shows its state slowly keeps the others neither from being asked nor from being enough', () => {
  const starting = new Starting();
  const peers = [PEER, '10.0.0.2'];
  starting.antiEntropy.setPeers(peers);
  for (const address of peers) {
    const status = { replica: address, ready: true, context: new CausalContext(CONTEXT), digests: undefined };
    starting.antiEntropy.observe(address, status, START);
  }
  for (let us = 0; us <= 3 * SECOND; us += SECOND / 10) {
    starting.antiEntropy.tick(START + us);
    expect(starting.poll('none', us)).toMatchObject({ ready: false });
  }
  expect(starting.asked).toEqual(peers);
  starting.joining.answered(peers[1]!, true);
  expect(starting.poll('none')).toMatchObject({ ready: true, reason: 'caught up with its peers' });
});
