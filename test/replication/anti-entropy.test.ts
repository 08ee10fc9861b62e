import { CausalContext } from '../../src/core/causal-context';
import type { LoadEvent } from '../../src/core/event';
import { LoadStats } from '../../src/core/load-stats';
import { snapshotLines } from '../../src/core/snapshot';
import { SnapshotMerge } from '../../src/core/snapshot-merge';
import type { AntiEntropyPort } from '../../src/replication/anti-entropy-port';
import type { PeerStatus } from '../../src/replication/peer-table';
import { AntiEntropy } from '../../src/replication/anti-entropy';
import { antiEntropyOptions, CONTEXT_LIMITS, loadStatsOptions } from '../../src/replication/limits';
import { digestsOf, windowAt } from '../../src/replication/state-comparison';

const SECOND = 1_000_000;
const NOW = 10_000 * SECOND;
const ADDRESS = '10.1.0.2';
const OPTIONS = loadStatsOptions({
  expireAfterMs: 600_000,
  finishedRetentionMs: 60_000,
  maxInFlight: 100,
  maxEngines: 100,
});
const CONTEXT = {
  ...CONTEXT_LIMITS,
  forgetAfterUs: 2 * (OPTIONS.expireAfterUs + OPTIONS.finishedRetentionUs),
};

class Peer {
  readonly stats = new LoadStats(OPTIONS);
  readonly context = new CausalContext(CONTEXT);

  constructor(readonly replica: string) {}

  sees(event: LoadEvent): void {
    this.stats.apply(event, event.timeUs);
    this.context.observe(event.origin, event.seq, event.timeUs, event.timeUs);
  }

  status(): PeerStatus {
    const digests = digestsOf(this.stats, windowAt(NOW, OPTIONS));
    return { replica: this.replica, ready: true, context: this.context.copy(), digests };
  }
}

class Repairing {
  readonly stats = new LoadStats(OPTIONS);
  readonly context = new CausalContext(CONTEXT);
  readonly compared: string[] = [];
  readonly pulls: Parameters<AntiEntropyPort['pull']>[] = [];
  readonly machine: AntiEntropy;

  constructor() {
    const port: AntiEntropyPort = {
      compare: (address) => this.compared.push(address),
      pull: (...pull) => this.pulls.push(pull),
      replay: () => false,
      nudge: () => undefined,
      report: () => undefined,
    };
    const options = antiEntropyOptions('own', OPTIONS);
    this.machine = new AntiEntropy(this.stats, this.context, port, () => 0.5, options, NOW);
    this.machine.setPeers([ADDRESS]);
  }

  sees(event: LoadEvent): void {
    this.stats.apply(event, event.timeUs);
    this.context.observe(event.origin, event.seq, event.timeUs, event.timeUs);
  }

  /** Merges so many lines of what the peer answers to the latest pull, or all of them. */
  receive(peer: Peer, lines = Infinity): SnapshotMerge {
    const merge = new SnapshotMerge(this.stats, CONTEXT, 'own');
    const [, selection] = this.pulls.at(-1)!;
    for (const line of snapshotLines(peer.stats, peer.context, peer.replica, true, selection)) {
      if (lines-- > 0) merge.line(line, NOW);
    }
    return merge;
  }

  /** Compares with a peer that has what is missing here, so that it is pulled. */
  compare(peer: Peer): void {
    this.machine.observe(ADDRESS, peer.status(), NOW);
    this.passes(2 * SECOND);
    this.machine.compared(ADDRESS, peer.status(), NOW);
  }

  passes(us: number, fromUs = NOW): void {
    for (let at = fromUs; at <= fromUs + us; at += SECOND / 10) this.machine.tick(at);
  }
}

function add(origin: string, seq: number): LoadEvent {
  const row = { cluster: 'm', ip: '10.0.0.1', promptLength: 1, timestampNs: undefined };
  const timeUs = NOW - 100 * SECOND + seq * SECOND;
  return { type: 'add', origin, seq, timeUs, requestId: `${origin}-${seq}`, ...row };
}

/** So many events that what is missing of them is not most of the state. */
function established(...replicas: { sees(event: LoadEvent): void }[]): void {
  for (let seq = 1; seq <= 20; seq++) for (const replica of replicas) replica.sees(add('old', seq));
}

describe('AntiEntropy', () => {
  it('claims what a partial repair has shown, and what ended meanwhile with it (I4)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing()];
    established(peer, here);
    peer.sees(add('a', 1));
    here.compare(peer);
    peer.sees({ type: 'delete', origin: 'b', seq: 1, timeUs: NOW, requestId: 'a-1' });
    expect(here.pulls).toHaveLength(1);
    here.machine.pulled(ADDRESS, here.receive(peer), NOW);
    expect(here.context.has('a', 1)).toBe(true);
    expect(here.stats.statusOf('a-1', NOW).deletedUs).toBe(NOW);
  });

  it('claims nothing when another process has taken the place of the one compared with (I4)', () => {
    const [peer, successor, here] = [new Peer('peer'), new Peer('successor'), new Repairing()];
    established(peer, successor, here);
    peer.sees(add('a', 1));
    here.compare(peer);
    here.machine.pulled(ADDRESS, here.receive(successor), NOW);
    expect(here.context.has('a', 1)).toBe(false);
    expect(here.machine.chased).toBe(1);
  });

  it('knows what is missing by a snapshot that breaks off (I4)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing()];
    peer.sees(add('a', 1));
    here.compare(peer);
    peer.sees(add('a', 2));
    here.machine.failed(ADDRESS, NOW, here.receive(peer, 2).context);
    expect(here.context.holes().get('a')?.toJSON()).toEqual([1, 2]);
  });

  it('looks at once for what was lost just now, whatever else is missing for long (I4)', () => {
    const here = new Repairing();
    here.context.announce('gone', 1, NOW, NOW);
    let at = NOW;
    // Until right after an attempt, when the next one is as far away as it gets.
    for (let attempts = 0; attempts < 6; at += SECOND / 10) {
      here.machine.tick(at);
      if (!here.machine.isBusyWith(ADDRESS)) continue;
      here.machine.compared(ADDRESS, new Peer('peer').status(), at);
      attempts++;
    }
    const before = here.compared.length;
    here.context.announce('a', 1, NOW, NOW);
    here.passes(SECOND, at);
    expect(here.compared.length).toBeGreaterThan(before);
  });
});
