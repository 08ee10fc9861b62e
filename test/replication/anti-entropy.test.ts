import { newFingerprinting } from '../../src/composition/fingerprinting';
import { CausalContext } from '../../src/core/causal-context';
import type { LoadEvent } from '../../src/core/event';
import type { LoadStatsOptions } from '../../src/core/load-stats';
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
const OTHER = '10.1.0.3';
const OPTIONS = loadStatsOptions(
  {
    expireAfterMs: 600_000,
    finishedRetentionMs: 60_000,
    maxInFlight: 100,
    maxEngines: 100,
  },
  newFingerprinting(),
);
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
  readonly stats: LoadStats;
  readonly context = new CausalContext(CONTEXT);
  readonly compared: string[] = [];
  readonly pulls: Parameters<AntiEntropyPort['pull']>[] = [];
  readonly machine: AntiEntropy;

  constructor(limits: Partial<LoadStatsOptions> = {}) {
    this.stats = new LoadStats({ ...OPTIONS, ...limits });
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

  it('claims nothing of a snapshot that it had no room for (I4, I7)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing({ inFlightCeiling: 20 })];
    established(peer, here);
    peer.sees(add('a', 1));
    here.compare(peer);
    here.machine.pulled(ADDRESS, here.receive(peer), NOW);
    expect([here.context.has('a', 1), here.machine.chased]).toEqual([false, 1]);
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

  it.each([-90, -5, 0, 100])('fills a hole as soon, though the clock steps by %s s (I4)', (stepS) => {
    const [peer, here] = [new Peer('peer'), new Repairing()];
    established(peer, here);
    peer.sees(add('a', 1));
    here.machine.tick(NOW);
    const later = NOW + stepS * SECOND;
    here.machine.observe(ADDRESS, peer.status(), later);
    here.passes(SECOND, later);
    expect(here.compared).toEqual([ADDRESS]);
  });

  it('gives nothing up that was noticed just before the process was suspended (I4)', () => {
    const here = new Repairing();
    here.machine.tick(NOW);
    here.context.announce('gone', 1, NOW, NOW);
    here.passes(SECOND);
    expect(here.machine.chased).toBe(1);
    here.passes(SECOND, NOW + 600 * SECOND);
    expect([here.machine.chased, here.machine.counts.eventsGivenUp]).toEqual([1, 0]);
    here.passes(31 * SECOND, NOW + 602 * SECOND);
    expect([here.machine.chased, here.machine.counts.eventsGivenUp]).toEqual([0, 1]);
  });

  it('goes on with another peer while one is slow, and with that one later (I4)', () => {
    const [slow, other, here] = [new Peer('slow'), new Peer('other'), new Repairing()];
    established(slow, other, here);
    slow.sees(add('a', 1));
    here.compare(slow);
    expect(here.pulls).toHaveLength(1);
    here.machine.setPeers([ADDRESS, OTHER]);
    other.sees(add('a', 1));
    here.machine.observe(OTHER, other.status(), NOW);
    here.passes(SECOND, NOW + 2 * SECOND);
    expect(here.compared).not.toContain(OTHER);
    here.passes(4 * SECOND, NOW + 3 * SECOND);
    expect(here.compared).toContain(OTHER);
    here.machine.compared(OTHER, other.status(), NOW);
    here.machine.pulled(OTHER, here.receive(other), NOW);
    expect([here.context.has('a', 1), here.machine.chased]).toEqual([true, 0]);
    // The first one may still end.
    here.machine.failed(ADDRESS, NOW);
    expect(here.machine.isBusyWith(ADDRESS)).toBe(false);
  });

  it('does not wait for a peer that does not answer (I4)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing()];
    here.machine.setPeers([OTHER, ADDRESS]);
    here.machine.unreachable(OTHER);
    expect(here.machine.compareWith(OTHER, NOW)).toBe(true);
    here.machine.observe(ADDRESS, peer.status(), NOW);
    expect(here.machine.compareWith(ADDRESS, NOW)).toBe(true);
  });

  it('shows the rows of finished requests that it never heard of, though nothing else differs (I1)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing()];
    established(peer, here);
    const end: LoadEvent = { type: 'delete', origin: 'b', seq: 1, timeUs: NOW, requestId: 'a-1' };
    peer.sees({ ...add('a', 1), ip: '10.0.0.9' } as LoadEvent);
    for (const replica of [peer, here]) replica.sees(end);
    here.compare(peer);
    expect(here.pulls).toHaveLength(1);
    here.machine.pulled(ADDRESS, here.receive(peer), NOW);
    const rows = (stats: LoadStats): string => stats.engines.model('m')!.toJson();
    expect(rows(here.stats)).toContain('10.0.0.9');
    expect(rows(here.stats)).toBe(rows(peer.stats));
  });

  it('shows the same time of a row, whether a late prompt-delete came before the finished request or after it (I1)', () => {
    const events: LoadEvent[] = [
      add('a', 1),
      { type: 'delete', origin: 'a', seq: 2, timeUs: NOW - SECOND, requestId: 'a-1' },
    ];
    const late: LoadEvent = { type: 'prompt-delete', origin: 'b', seq: 1, timeUs: NOW, requestId: 'a-1' };
    const [peer, here] = [new Peer('peer'), new Repairing()];
    for (const event of events) peer.sees(event);
    here.sees(late);
    here.compare(peer);
    here.machine.pulled(ADDRESS, here.receive(peer), NOW);
    peer.sees(late);
    const rows = (stats: LoadStats): string => stats.engines.model('m')!.toJson();
    expect(rows(here.stats)).toBe(rows(peer.stats));
  });
});
