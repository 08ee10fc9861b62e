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
import { SeqSet } from '../core/seq-set';
import type { SnapshotSelection } from '../core/snapshot';
import type { SnapshotMerge } from '../core/snapshot-merge';
import { Agreement } from './agreement';
import { HoleChase, type Chase, type HoleChaseOptions } from './hole-chase';
import type { DigestWindow, StateDigests } from './state-comparison';
import { compareDigests, digestsOf, windowAt } from './state-comparison';

export interface AntiEntropyOptions extends HoleChaseOptions {
  readonly origin: string;
  /** First and longest pause between two attempts to fill the same holes. */
  readonly retryUs: number;
  readonly retryMostUs: number;
  /** A hole that no known peer can fill is looked for in the bus's history when it is this old. */
  readonly historyAfterUs: number;
  /** Pause between two replays of the history for the sake of holes. */
  readonly historyEveryUs: number;
  /** How far before it was noticed a missing event is looked for at first. */
  readonly historyReachUs: number;
  /** How often to compare with some peer when nothing is known to be missing; spread by ±20 %. */
  readonly compareEveryUs: number;
  /** After the bus has come back, when to compare with every peer. */
  readonly reconnectSweepsUs: readonly number[];
  /** Margin of the digest comparison: covers clock differences and the pace of expiry. */
  readonly marginUs: number;
}

export interface PeerStatus {
  readonly replica: string;
  readonly ready: boolean;
  readonly context: CausalContext;
  /** Present when asked for with a window. */
  readonly digests: StateDigests | undefined;
}

/** Where the commands go. Each `compare` and `pull` is answered by exactly one call of the machine. */
export interface AntiEntropyPort {
  compare(address: string, window: DigestWindow): void;
  pull(address: string, selection: SnapshotSelection | undefined): void;
  /**
   * Replays what the bus remembers from that time on, 0 for everything; false when it can't now. What comes is seen as
   * any event is, so there is no answer.
   */
  replay(sinceUs: number): boolean;
  /** Asks the peer to compare with this replica soon. */
  nudge(address: string): void;
  /** Something an operator should know. */
  report(event: AntiEntropyEvent): void;
}

export type AntiEntropyEvent =
  | { readonly kind: 'hole-given-up'; readonly origin: string; readonly seqs: SeqSet }
  | {
      readonly kind: 'divergence';
      readonly peer: string;
      readonly replica: string;
      readonly seconds: SnapshotSelection;
    }
  | { readonly kind: 'repaired'; readonly peer: string; readonly records: number; readonly full: boolean };

interface Peer {
  readonly address: string;
  status: PeerStatus | undefined;
  readonly agreement: Agreement;
}

export class AntiEntropyCounts {
  compares = 0;
  pulls = 0;
  fullPulls = 0;
  failures = 0;
  recordsMerged = 0;
  eventsGivenUp = 0;
  divergences = 0;
  historyReplays = 0;
}

export class AntiEntropy {
  readonly counts = new AntiEntropyCounts();
  private readonly peers = new Map<string, Peer>();
  /** Peers to compare with as soon as possible, and those that answered with this replica's own id. */
  private readonly queue = new Set<string>();
  private readonly own = new Set<string>();
  private readonly chase: HoleChase;
  private nextChaseUs = 0;
  private nextReplayUs = 0;
  private retryUs: number;
  private nextCompareUs: number;
  private sweepsUs: number[] = [];
  private recheckUs = Infinity;
  private recheckPeer = '';
  private busyWith: string | undefined;
  /** The context that a pull under way will have shown, when it is a partial one. */
  private pulling: { status: PeerStatus; selection: SnapshotSelection | undefined } | undefined;
  private turn = 0;

  constructor(
    private readonly stats: LoadStats,
    private readonly context: CausalContext,
    private readonly port: AntiEntropyPort,
    private readonly random: () => number,
    private readonly options: AntiEntropyOptions,
    nowUs: number,
  ) {
    this.chase = new HoleChase(context, options);
    this.retryUs = options.retryUs;
    this.nextCompareUs = this.afterInterval(nowUs);
  }

  /** Addresses that are other replicas, as far as is known. */
  get addresses(): string[] {
    return [...this.peers.keys()];
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
    const known = new Set(addresses);
    for (const address of this.own) if (!known.has(address)) this.own.delete(address);
    for (const address of this.peers.keys()) if (!known.has(address)) this.peers.delete(address);
    for (const address of known) {
      if (!this.peers.has(address) && !this.own.has(address)) {
        this.peers.set(address, { address, status: undefined, agreement: new Agreement() });
      }
    }
  }

  /** The bus is back: everything published meanwhile, by either side, may be lost. */
  busConnected(nowUs: number): void {
    this.sweepsUs = this.options.reconnectSweepsUs.map((delay) => nowUs + delay);
  }

  /** A peer found that its state and this replica's differ. */
  nudged(replica: string): void {
    for (const peer of this.peers.values())
      if (peer.status?.replica === replica) this.queue.add(peer.address);
  }

  /** What a peer says of itself, asked for its health or for a comparison. */
  observe(address: string, status: PeerStatus, nowUs: number): void {
    const peer = this.peers.get(address);
    if (!peer) return;
    if (status.replica === this.options.origin) {
      this.own.add(address);
      this.peers.delete(address);
      return;
    }
    peer.status = status;
    this.context.announceAll(status.context, this.options.origin, nowUs);
  }

  unreachable(address: string): void {
    const peer = this.peers.get(address);
    if (peer) peer.status = undefined;
  }

  /** While the history is `replaying` holes are no losses yet. */
  tick(nowUs: number, replaying = false): void {
    this.context.forget(nowUs);
    if (!replaying) this.watchHoles(nowUs);
    if (this.sweepsUs.length > 0 && this.sweepsUs[0]! <= nowUs) {
      this.sweepsUs.shift();
      for (const address of this.peers.keys()) this.queue.add(address);
    }
    if (this.recheckUs <= nowUs) {
      this.recheckUs = Infinity;
      this.queue.add(this.recheckPeer);
    }
    if (this.nextCompareUs <= nowUs) {
      this.nextCompareUs = this.afterInterval(nowUs);
      const peer = this.nextPeer();
      if (peer) this.queue.add(peer.address);
    }
    if (!replaying) this.searchHistory(nowUs);
    this.start(nowUs);
  }

  /** Compares with `address` unless an exchange is under way; true when it was started. */
  compareWith(address: string, nowUs: number): boolean {
    if (this.busyWith !== undefined || !this.peers.has(address)) return false;
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
    const { chased } = this;
    this.chase.dropFilled();
    // Another peer may have the rest of it.
    if (this.chased < chased) this.retryUs = this.options.retryUs;
    if (this.chase.all.length > 0) this.backOff(nowUs);
  }

  /** A `compare` or `pull` came to nothing; `named` is the context of a snapshot that broke off. */
  failed(address: string, nowUs: number, named?: CausalContext): void {
    this.busyWith = undefined;
    // What was merged of it is of events that are not claimed: they must at least be known to be missing.
    if (named) this.context.announceAll(named, this.options.origin, nowUs);
    // A peer that answers a comparison but not a pull is busy, or broken, but there.
    if (!this.pulling) this.unreachable(address);
    this.pulling = undefined;
    this.failedAttempt(nowUs);
  }

  private start(nowUs: number): void {
    if (this.busyWith !== undefined) return;
    if (this.chase.all.length > 0 && this.nextChaseUs <= nowUs) {
      const peer = this.peerWithChased() ?? this.nextPeer();
      if (peer) {
        this.backOff(nowUs);
        this.compareWith(peer.address, nowUs);
        return;
      }
    }
    for (const address of this.queue) {
      this.queue.delete(address);
      if (this.compareWith(address, nowUs)) return;
    }
  }

  private watchHoles(nowUs: number): void {
    if (this.chase.look(nowUs)) {
      // What was lost just now does not wait for what nobody has.
      this.nextChaseUs = nowUs;
      this.retryUs = this.options.retryUs;
    }
    for (const { origin, seqs } of this.chase.giveUpOld(nowUs)) {
      this.counts.eventsGivenUp += seqs.count;
      this.port.report({ kind: 'hole-given-up', origin, seqs });
    }
  }

  private peerWithChased(): Peer | undefined {
    const able = [...this.peers.values()].filter(
      ({ status }) => status && this.chase.isKnownTo(status.context),
    );
    return able[Math.floor(this.random() * able.length)];
  }

  private nextPeer(): Peer | undefined {
    const peers = [...this.peers.values()];
    return peers[this.turn++ % peers.length];
  }

  /**
   * Holes that no known peer can fill: first what the bus took shortly before they were noticed, then, once, everything
   * that it remembers.
   */
  private searchHistory(nowUs: number): void {
    if (this.nextReplayUs > nowUs) return;
    const wanting = this.chase.all.filter((chase) => this.wantsHistory(chase, nowUs));
    if (wanting.length === 0) return;
    const sinceUs = wanting.some(({ replays }) => replays > 0)
      ? 0
      : Math.min(...wanting.map((chase) => chase.sinceUs)) - this.options.historyReachUs;
    if (!this.port.replay(Math.max(0, sinceUs))) return;
    this.nextReplayUs = nowUs + this.options.historyEveryUs;
    this.counts.historyReplays++;
    for (const chase of wanting) chase.replays++;
  }

  private wantsHistory({ origin, seqs, sinceUs, replays }: Chase, nowUs: number): boolean {
    if (replays >= 2 || sinceUs + this.options.historyAfterUs > nowUs) return false;
    return ![...this.peers.values()].some(
      ({ status }) => status && status.context.seenOf(origin, seqs).intervalCount > 0,
    );
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
    if (state === 'open') {
      this.recheckPeer = peer.address;
      this.recheckUs = nowUs + this.options.retryUs * 4;
    }
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

  private failedAttempt(nowUs: number): void {
    this.counts.failures++;
    this.backOff(nowUs);
  }

  private backOff(nowUs: number): void {
    this.nextChaseUs = nowUs + this.retryUs;
    this.retryUs = Math.min(this.retryUs * 2, this.options.retryMostUs);
  }

  private afterInterval(nowUs: number): number {
    return nowUs + this.options.compareEveryUs * (0.8 + 0.4 * this.random());
  }
}
