/**
 * Decides when to compare with which peer and what to pull from it, so that lost events come back.
 *
 * A pure state machine: time and randomness are arguments, commands go out through `AntiEntropyPort`, answers come in
 * through `compared`, `pulled` and `failed`. Holes come to light by heartbeats, peers' contexts and gaps in seqs. A hole
 * that outlives a short grace is chased: peers that have seen it are compared with, second by second of event time, and
 * only the seconds that differ are pulled. One exchange at a time, and beside one that is slow a second one with another
 * peer: so a slow peer delays nobody but itself. Pauses and bounds are kept by a clock that no step of the wall clock moves.
 */
import type { CausalContext } from '../core/causal-context';
import type { LoadStats } from '../core/load-stats';
import type { SnapshotSelection } from '../core/snapshot';
import type { SnapshotMerge } from '../core/snapshot-merge';
import { AntiEntropyCounts, type AntiEntropyPort } from './anti-entropy-port';
import { CompareSchedule, type CompareScheduleOptions } from './compare-schedule';
import { HoleChase, type HoleChaseOptions } from './hole-chase';
import { PaceClock } from './pace-clock';
import { PeerTable, type Peer, type PeerStatus } from './peer-table';
import type { StateDigests } from './state-comparison';
import { compareDigests, digestsOf, windowAt } from './state-comparison';

export interface AntiEntropyOptions extends HoleChaseOptions, CompareScheduleOptions {
  readonly origin: string;
  /** Margin of the digest comparison: covers clock differences and the pace of expiry. */
  readonly marginUs: number;
  /** An exchange that takes longer does not keep another one from beginning. */
  readonly slowAfterUs: number;
  /** A peer whose snapshot failed is asked last for so long. */
  readonly avoidAfterFailureUs: number;
}

/** A pull: what it asks for, and what the peer had said of itself before. */
interface Pull {
  readonly status: PeerStatus;
  readonly selection: SnapshotSelection | undefined;
}

interface Exchange {
  readonly startedUs: number;
  /** Undefined while the peer's digests are awaited. */
  readonly pull: Pull | undefined;
}

/** Ticks are a tenth of a second apart: what is longer was no time to work in. */
const MAX_STEP_US = 1_000_000;
const MAX_EXCHANGES = 2;

export class AntiEntropy {
  readonly counts = new AntiEntropyCounts();
  private readonly peers: PeerTable;
  private readonly schedule: CompareSchedule;
  private readonly chase: HoleChase;
  private readonly pace: PaceClock;
  /** By address. */
  private readonly exchanges = new Map<string, Exchange>();

  constructor(
    private readonly stats: LoadStats,
    private readonly context: CausalContext,
    private readonly port: AntiEntropyPort,
    private readonly random: () => number,
    private readonly options: AntiEntropyOptions,
    nowUs: number,
  ) {
    this.pace = new PaceClock(nowUs, MAX_STEP_US);
    this.peers = new PeerTable(options.origin);
    this.schedule = new CompareSchedule(this.peers, random, options);
    this.chase = new HoleChase(context, options);
  }

  /** Addresses that are other replicas, as far as is known. */
  get addresses(): string[] {
    return this.peers.addresses;
  }

  statusOf(address: string): PeerStatus | undefined {
    return this.peers.get(address)?.status;
  }

  isBusyWith(address: string): boolean {
    return this.exchanges.has(address);
  }

  /** Seqs that are missing and chased. */
  get chased(): number {
    return this.chase.count;
  }

  /** The addresses that discovery knows now. */
  setPeers(addresses: readonly string[]): void {
    this.peers.set(addresses);
  }

  /** The bus is back: everything published meanwhile, by either side, may be lost. */
  busConnected(): void {
    this.schedule.sweep(this.pace.now);
  }

  /** A peer found that its state and this replica's differ. */
  nudged(replica: string): void {
    const named = this.peers.where((status) => status.replica === replica);
    for (const { address } of named) this.schedule.soon(address);
  }

  /** What a peer says of itself, asked for its health or for a comparison. */
  observe(address: string, status: PeerStatus, nowUs: number): void {
    const seen = this.peers.observe(address, status);
    if (seen === 'no peer') return;
    // It may have missed comparisons.
    if (seen === 'back') this.schedule.soon(address);
    this.context.announceAll(status.context, this.options.origin, nowUs);
  }

  unreachable(address: string): void {
    this.peers.unreachable(address);
  }

  /** While the history is `replaying` holes are no losses yet. */
  tick(nowUs: number, replaying = false): void {
    const paceUs = this.pace.look(nowUs);
    this.context.forget(nowUs, this.options.origin);
    if (!replaying) this.watchHoles(paceUs, nowUs);
    this.schedule.tick(paceUs);
    if (!replaying) this.searchHistory(paceUs);
    this.start(nowUs);
  }

  /** Compares with `address` unless other exchanges are in the way; true when it was started. */
  compareWith(address: string, nowUs: number): boolean {
    const peer = this.peers.get(address);
    if (!peer || !this.mayBeginWith(peer)) return false;
    this.exchanges.set(address, { startedUs: this.pace.now, pull: undefined });
    this.counts.compares++;
    this.port.compare(address, windowAt(nowUs, this.stats.options));
    return true;
  }

  /**
   * The answer to `compare`; true when a pull follows. `everything` pulls whatever the peer has, as a replica that joins
   * does.
   */
  compared(address: string, status: PeerStatus, nowUs: number, everything = false): boolean {
    this.exchanges.delete(address);
    this.observe(address, status, nowUs);
    const peer = this.peers.get(address);
    if (!peer || !status.digests) return false;
    if (everything || this.chase.isKnownTo(status.context)) {
      this.pull(peer, status, status.digests, nowUs);
      return true;
    }
    return this.checkAgreement(peer, status, status.digests, nowUs);
  }

  /** The end of a `pull` whose lines were all merged; true when everything that was asked for is here now. */
  pulled(address: string, merge: SnapshotMerge, nowUs: number): boolean {
    const pull = this.exchanges.get(address)?.pull;
    this.counts.recordsMerged += merge.records;
    // A process that has taken the place of the one that was compared with does not show what that one had.
    const same = merge.source?.replica === pull?.status.replica;
    const shown = pull?.selection ? pull.status.context : merge.context;
    if (!merge.complete || !shown || !same) {
      this.failed(address, nowUs, merge.context);
      return false;
    }
    this.exchanges.delete(address);
    // A record that had no room here is not shown by this view, so nothing may be claimed.
    if (merge.refused === 0) this.context.join(shown, this.options.origin, nowUs);
    this.port.report({ kind: 'repaired', peer: address, records: merge.records, full: !pull?.selection });
    this.chase.pulled(this.pace.now);
    return true;
  }

  /** A `compare` or `pull` came to nothing; `named` is the context of a snapshot that broke off. */
  failed(address: string, nowUs: number, named?: CausalContext): void {
    const exchange = this.exchanges.get(address);
    this.exchanges.delete(address);
    // What was merged of it is of events that are not claimed: they must at least be known to be missing.
    if (named) this.context.announceAll(named, this.options.origin, nowUs);
    // A peer that answers a comparison but not a pull is busy, or broken, but there.
    if (exchange?.pull) this.peers.failed(address, this.pace.now);
    else this.unreachable(address);
    this.counts.failures++;
    this.chase.backOff(this.pace.now);
  }

  /** When there is no exchange, or the one under way is slow, or with a peer that may not answer at all. */
  private mayBeginWith({ address, silent }: Peer): boolean {
    const { size } = this.exchanges;
    if (size === 0) return true;
    if (size >= MAX_EXCHANGES || silent || this.exchanges.has(address)) return false;
    const slowSinceUs = this.pace.now - this.options.slowAfterUs;
    return [...this.exchanges].every(
      ([other, { startedUs }]) => startedUs <= slowSinceUs || this.peers.get(other)?.silent !== false,
    );
  }

  private start(nowUs: number): void {
    if (this.chase.isDue(this.pace.now)) {
      const peer = this.peerWithChased() ?? this.peers.next();
      if (peer && this.compareWith(peer.address, nowUs)) {
        this.chase.backOff(this.pace.now);
        return;
      }
    }
    for (const address of this.schedule.due) {
      if (this.compareWith(address, nowUs) || !this.peers.get(address)) this.schedule.done(address);
    }
  }

  private watchHoles(paceUs: number, nowUs: number): void {
    this.chase.look(paceUs, nowUs);
    for (const { origin, seqs } of this.chase.giveUpOld(paceUs, this.peers.contexts)) {
      this.counts.eventsGivenUp += seqs.count;
      this.port.report({ kind: 'hole-given-up', origin, seqs });
    }
  }

  private peerWithChased(): Peer | undefined {
    const able = this.peers
      .where(({ context }) => this.chase.isKnownTo(context))
      .filter(({ address }) => !this.exchanges.has(address));
    const longAgoUs = this.pace.now - this.options.avoidAfterFailureUs;
    const better = able.filter(({ failedUs }) => failedUs < longAgoUs);
    const from = better.length > 0 ? better : able;
    return from[Math.floor(this.random() * from.length)];
  }

  private searchHistory(paceUs: number): void {
    const replay = (sinceUs: number): boolean => this.port.replay(sinceUs);
    const began = this.chase.searchHistory(paceUs, this.peers.contexts, replay);
    if (began) this.counts.historyReplays++;
  }

  /** Pulls what differs, and the rows: those of finished requests are in no digest. */
  private pull(peer: Peer, status: PeerStatus, digests: StateDigests, nowUs: number): void {
    const window = windowAt(nowUs, this.stats.options);
    const difference = compareDigests(digestsOf(this.stats, window), digests, window);
    const selection = difference.mostly ? undefined : difference.pull;
    this.exchanges.set(peer.address, { startedUs: this.pace.now, pull: { status, selection } });
    this.counts.pulls++;
    if (!selection) this.counts.fullPulls++;
    this.port.pull(peer.address, selection);
  }

  /** True when a pull follows. */
  private checkAgreement(peer: Peer, status: PeerStatus, digests: StateDigests, nowUs: number): boolean {
    const { options } = this.stats;
    const sinceUs = nowUs - options.expireAfterUs - options.finishedRetentionUs;
    const window = windowAt(nowUs + this.options.marginUs, options);
    const ours = { context: this.context, digests: digestsOf(this.stats, window) };
    const state = peer.agreement.check(ours, { context: status.context, digests }, window, sinceUs);
    if (state === 'open') this.schedule.recheck(peer.address, this.pace.now + this.options.retryUs * 4);
    if (state !== 'diverged' && state !== 'incomplete') return false;
    if (state === 'diverged') {
      this.counts.divergences++;
      const { replica } = status;
      this.port.report({
        kind: 'divergence',
        peer: peer.address,
        replica,
        seconds: compareDigests(ours.digests, digests, window).pull,
      });
    }
    this.port.nudge(peer.address);
    this.pull(peer, status, digests, nowUs);
    return true;
  }
}
