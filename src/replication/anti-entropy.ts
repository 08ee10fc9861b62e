/**
 * Decides when to compare with which peer and what to pull from it, so that lost events come back.
 *
 * A pure state machine: time and randomness are arguments, commands go out through `AntiEntropyPort`, answers come in
 * through `compared`, `pulled` and `failed`. Holes come to light by heartbeats, peers' contexts and gaps in seqs. A hole
 * that outlives a short grace is chased: peers that have seen it are compared with, second by second of event time, and
 * only the seconds that differ are pulled. One exchange at a time, so a slow peer delays nobody but itself.
 */
import type { CausalContext } from '../core/causal-context';
import type { LoadStats } from '../core/load-stats';
import type { SnapshotSelection } from '../core/snapshot';
import type { SnapshotMerge } from '../core/snapshot-merge';
import { AntiEntropyCounts, type AntiEntropyPort } from './anti-entropy-port';
import { CompareSchedule, type CompareScheduleOptions } from './compare-schedule';
import { HoleChase, type HoleChaseOptions } from './hole-chase';
import { PeerTable, type Peer, type PeerStatus } from './peer-table';
import type { StateDigests } from './state-comparison';
import { compareDigests, digestsOf, windowAt } from './state-comparison';

export interface AntiEntropyOptions extends HoleChaseOptions, CompareScheduleOptions {
  readonly origin: string;
  /** Margin of the digest comparison: covers clock differences and the pace of expiry. */
  readonly marginUs: number;
}

export class AntiEntropy {
  readonly counts = new AntiEntropyCounts();
  private readonly peers: PeerTable;
  private readonly schedule: CompareSchedule;
  private readonly chase: HoleChase;
  private busyWith: string | undefined;
  /** What the pull under way asks for, and what the peer had said of itself before. */
  private pulling: { status: PeerStatus; selection: SnapshotSelection | undefined } | undefined;

  constructor(
    private readonly stats: LoadStats,
    private readonly context: CausalContext,
    private readonly port: AntiEntropyPort,
    private readonly random: () => number,
    private readonly options: AntiEntropyOptions,
    nowUs: number,
  ) {
    this.peers = new PeerTable(options.origin);
    this.schedule = new CompareSchedule(this.peers, random, options, nowUs);
    this.chase = new HoleChase(context, options);
  }

  /** Addresses that are other replicas, as far as is known. */
  get addresses(): string[] {
    return this.peers.addresses;
  }

  statusOf(address: string): PeerStatus | undefined {
    return this.peers.get(address)?.status;
  }

  isBusy(): boolean {
    return this.busyWith !== undefined;
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
  busConnected(nowUs: number): void {
    this.schedule.sweep(nowUs);
  }

  /** A peer found that its state and this replica's differ. */
  nudged(replica: string): void {
    const named = this.peers.where((status) => status.replica === replica);
    for (const { address } of named) this.schedule.soon(address);
  }

  /** What a peer says of itself, asked for its health or for a comparison. */
  observe(address: string, status: PeerStatus, nowUs: number): void {
    if (!this.peers.observe(address, status)) return;
    this.context.announceAll(status.context, this.options.origin, nowUs);
  }

  unreachable(address: string): void {
    this.peers.unreachable(address);
  }

  /** While the history is `replaying` holes are no losses yet. */
  tick(nowUs: number, replaying = false): void {
    this.context.forget(nowUs);
    if (!replaying) this.watchHoles(nowUs);
    this.schedule.tick(nowUs);
    if (!replaying) this.searchHistory(nowUs);
    this.start(nowUs);
  }

  /** Compares with `address` unless an exchange is under way; true when it was started. */
  compareWith(address: string, nowUs: number): boolean {
    if (this.busyWith !== undefined || !this.peers.get(address)) return false;
    this.busyWith = address;
    this.counts.compares++;
    this.port.compare(address, windowAt(nowUs, this.stats.options));
    return true;
  }

  /** The answer to `compare`. `everything` pulls whatever differs, as a replica that joins does. */
  compared(address: string, status: PeerStatus, nowUs: number, everything = false): void {
    this.busyWith = undefined;
    this.observe(address, status, nowUs);
    const peer = this.peers.get(address);
    if (!peer || !status.digests) return;
    if (everything || this.chase.isKnownTo(status.context)) {
      this.pull(peer, status, status.digests, nowUs);
      return;
    }
    this.checkAgreement(peer, status, status.digests, nowUs);
  }

  /** The end of a `pull` whose lines were all merged. */
  pulled(address: string, merge: SnapshotMerge, nowUs: number): void {
    const { pulling } = this;
    this.counts.recordsMerged += merge.records;
    // A process that has taken the place of the one that was compared with does not show what that one had.
    const same = merge.source?.replica === pulling?.status.replica;
    const shown = pulling?.selection ? pulling.status.context : merge.context;
    if (!merge.complete || !shown || !same) {
      this.failed(address, nowUs, merge.context);
      return;
    }
    this.busyWith = undefined;
    this.pulling = undefined;
    // A record that had no room here is not shown by this view, so nothing may be claimed.
    if (merge.refused === 0) this.context.join(shown, nowUs);
    this.port.report({ kind: 'repaired', peer: address, records: merge.records, full: !pulling?.selection });
    this.chase.pulled(nowUs);
  }

  /** A `compare` or `pull` came to nothing; `named` is the context of a snapshot that broke off. */
  failed(address: string, nowUs: number, named?: CausalContext): void {
    this.busyWith = undefined;
    // What was merged of it is of events that are not claimed: they must at least be known to be missing.
    if (named) this.context.announceAll(named, this.options.origin, nowUs);
    // A peer that answers a comparison but not a pull is busy, or broken, but there.
    if (!this.pulling) this.unreachable(address);
    this.pulling = undefined;
    this.counts.failures++;
    this.chase.backOff(nowUs);
  }

  private start(nowUs: number): void {
    if (this.busyWith !== undefined) return;
    if (this.chase.isDue(nowUs)) {
      const peer = this.peerWithChased() ?? this.peers.next();
      if (peer) {
        this.chase.backOff(nowUs);
        this.compareWith(peer.address, nowUs);
        return;
      }
    }
    for (let next = this.schedule.take(); next !== undefined; next = this.schedule.take()) {
      if (this.compareWith(next, nowUs)) return;
    }
  }

  private watchHoles(nowUs: number): void {
    this.chase.look(nowUs);
    for (const { origin, seqs } of this.chase.giveUpOld(nowUs)) {
      this.counts.eventsGivenUp += seqs.count;
      this.port.report({ kind: 'hole-given-up', origin, seqs });
    }
  }

  private peerWithChased(): Peer | undefined {
    const able = this.peers.where(({ context }) => this.chase.isKnownTo(context));
    return able[Math.floor(this.random() * able.length)];
  }

  private searchHistory(nowUs: number): void {
    const ofPeers = this.peers.statuses.map(({ context }) => context);
    const began = this.chase.searchHistory(nowUs, ofPeers, (sinceUs) => this.port.replay(sinceUs));
    if (began) this.counts.historyReplays++;
  }

  /** Pulls what differs; when nothing does, this view already shows all that the peer has seen. */
  private pull(peer: Peer, status: PeerStatus, digests: StateDigests, nowUs: number): void {
    const window = windowAt(nowUs, this.stats.options);
    const difference = compareDigests(digestsOf(this.stats, window), digests, window);
    if (!difference.any) {
      this.context.join(status.context, nowUs);
      this.chase.dropFilled();
      return;
    }
    const selection = difference.mostly ? undefined : difference.pull;
    this.busyWith = peer.address;
    this.pulling = { status, selection };
    this.counts.pulls++;
    if (!selection) this.counts.fullPulls++;
    this.port.pull(peer.address, selection);
  }

  private checkAgreement(peer: Peer, status: PeerStatus, digests: StateDigests, nowUs: number): void {
    const { options } = this.stats;
    const sinceUs = nowUs - options.expireAfterUs - options.finishedRetentionUs;
    const window = windowAt(nowUs + this.options.marginUs, options);
    const ours = { context: this.context, digests: digestsOf(this.stats, window) };
    const state = peer.agreement.check(ours, { context: status.context, digests }, window, sinceUs);
    if (state === 'open') this.schedule.recheck(peer.address, nowUs + this.options.retryUs * 4);
    if (state !== 'diverged' && state !== 'incomplete') return;
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
  }
}
