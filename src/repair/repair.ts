/**
 * Repair decides what to ask of whom, so that lost events come back, a starting replica catches up, and nothing of another
 * deployment or above this replica's level gets in.
 *
 * A pure state machine: `step` takes what has come and the time, and answers the commands to carry out; it never calls out.
 * Each `ask` and `pull` is answered by exactly one input. One rule says when to ask: what a peer or a heartbeat has shown
 * to exist and is missing at two looks is chased; peers that have seen it are compared with, second by second of event time,
 * and only the seconds that differ are pulled. Beside that a joining replica asks each peer once, and an alarm compares with
 * one peer now and then: equal contexts must mean equal states. Pauses and bounds are kept by the monotonic clock.
 */
import type { CausalContext } from '../core/causal-context';
import type { LoadStats } from '../core/load-stats';
import { ownerOriginOf } from '../core/event';
import type { SeqSet } from '../core/seq-set';
import type { SnapshotSelection } from '../core/snapshot';
import type { SnapshotMerge } from '../core/snapshot-merge';
import { Clocks, type ClockView } from './clocks';
import { compareDigests, digestsOf, cutOffsAt, type CutOffs, type StateDigests } from './digests';
import { HoleChase, type HoleChaseOptions } from './holes';
import { joined, type JoiningState, type Surroundings } from './joining';
import { PeerTable, type PeerReport, type Peer, type PeerState } from './peer-table';
import { MAX_NAMED_ORIGINS, type Heartbeat, type Identity, type PeerStatus } from './protocol';

export interface RepairOptions extends HoleChaseOptions {
  readonly heartbeatEveryUs: number;
  /** How often each address is asked who is there. */
  readonly healthEveryUs: number;
  /** How often the alarm compares with some peer; spread by ±20 %. */
  readonly compareEveryUs: number;
  /** Margin of the digest comparison: covers clock differences and the pace of expiry. */
  readonly marginUs: number;
  /** An exchange that takes longer does not keep another one from beginning, or a joining replica from being ready. */
  readonly slowAfterUs: number;
  readonly joinSlowAfterUs: number;
  /** A peer whose snapshot failed is asked last for so long. */
  readonly avoidAfterFailureUs: number;
  /** The longest that catching up keeps the replica from being ready. */
  readonly readyTimeoutUs: number;
  /** Heartbeats name an origin until it has been silent for so long: by then every replica has heard of its last event. */
  readonly namedForUs: number;
}

export type Input =
  | { readonly kind: 'tick'; readonly around: Surroundings }
  /** The addresses that discovery knows now. */
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'heartbeat'; readonly heartbeat: Heartbeat }
  /** The answer to an `ask`. */
  | { readonly kind: 'status'; readonly address: string; readonly status: PeerStatus }
  /** The end of a `pull` whose lines were all merged. */
  | { readonly kind: 'pulled'; readonly address: string; readonly merge: SnapshotMerge }
  /** An `ask` or `pull` came to nothing; `named` is the context of a snapshot that broke off. */
  | {
      readonly kind: 'failed';
      readonly address: string;
      readonly reason: string;
      readonly foreign: boolean;
      readonly named?: CausalContext | undefined;
    }
  /** The last `replay` has begun. */
  | { readonly kind: 'replaying' };

export type Command =
  /** `cutOffs` asks for digests too. */
  | { readonly kind: 'ask'; readonly address: string; readonly cutOffs: CutOffs | undefined }
  | { readonly kind: 'pull'; readonly address: string; readonly selection: SnapshotSelection | undefined }
  | { readonly kind: 'heartbeat'; readonly heartbeat: Heartbeat }
  /** Replays what the bus remembers from that time on. What comes is seen as any event is. */
  | { readonly kind: 'replay'; readonly sinceUs: number }
  | { readonly kind: 'tell'; readonly news: News };

/** What an operator should know. */
export type News =
  | { readonly what: 'ready'; readonly reason: string }
  | { readonly what: 'unready'; readonly reason: string }
  | { readonly what: 'given-up'; readonly origin: string; readonly seqs: SeqSet }
  | {
      readonly what: 'divergence';
      readonly peer: string;
      readonly replica: string;
      readonly seconds: SnapshotSelection;
    }
  | { readonly what: 'repaired'; readonly peer: string; readonly records: number; readonly full: boolean }
  | { readonly what: 'skipped'; readonly peer: string; readonly records: number }
  | {
      readonly what: 'unreachable';
      readonly peer: string;
      readonly reason: string;
      /** Whether it has answered before. */
      readonly known: boolean;
    }
  | { readonly what: 'reachable'; readonly peer: string }
  | { readonly what: 'other-deployment'; readonly peer: string; readonly reason: string }
  | { readonly what: 'itself'; readonly peer: string }
  | { readonly what: 'clock'; readonly replica: string; readonly aheadUs: number };

export class RepairCounts {
  compares = 0;
  pulls = 0;
  fullPulls = 0;
  failures = 0;
  recordsMerged = 0;
  recordsSkipped = 0;
  eventsGivenUp = 0;
  divergences = 0;
  historyReplays = 0;
  /** Not taken in: there were too many, or too many replicas were heard. */
  heartbeatsRefused = 0;
}

/** What is under way with an address: who is there, a comparison, or a pull with what the peer had said before. */
interface Exchange {
  readonly kind: 'health' | 'compare' | 'pull';
  readonly startedUs: number;
  readonly status?: PeerStatus;
  readonly selection?: SnapshotSelection | undefined;
  /** For the sake of joining. */
  readonly joining: boolean;
}

/** Ticks are a tenth of a second apart: what is longer was no time to work in, as of a process that was suspended. */
const MAX_STEP_US = 1_000_000;
/** Of heartbeats that come once a second. */
const SILENT_US = 2_500_000;
/** The bus notices a dead link after two pings, 12 s. */
const DEAD_LINK_NOTICED_US = 15_000_000;
const MAX_EXCHANGES = 2;
/** Replicas that are only heard. Whoever can publish can make heartbeats of any number of them. */
export const MAX_HEARD = 64;
const STARTING: JoiningState = { ready: false, caughtUp: false, reason: 'starting' };

export class Repair {
  readonly counts = new RepairCounts();
  private readonly table: PeerTable;
  private readonly chase: HoleChase;
  private readonly clocks: Clocks;
  /** By address. */
  private readonly exchanges = new Map<string, Exchange>();
  private readonly spoken = new Map<string, { readonly speaks: number; readonly atUs: number }>();
  private readonly told = new Map<string, string>();
  private joiningState = STARTING;
  private clockView: ClockView = { aheadUs: undefined, off: false, alone: false };
  private commands: Command[] = [];
  private nowUs = 0;
  /** The time that this replica has been working, by the monotonic clock. */
  private workedUs = 0;
  /** The time since the start, by the same. */
  private elapsedUs = 0;
  private lookedUs: number | undefined;
  private nextHeartbeatUs = 0;
  private nextHealthUs: number;
  private nextCompareUs: number;
  private recheck: { readonly address: string; readonly atUs: number } | undefined;
  private joinRetryUs = 0;
  /** When any other replica's heartbeat came last, by the time since the start. */
  private lastHeardUs = -Infinity;

  constructor(
    readonly self: Identity,
    private readonly stats: LoadStats,
    private readonly context: CausalContext,
    private readonly random: () => number,
    private readonly options: RepairOptions,
  ) {
    this.table = new PeerTable(self.replica);
    this.chase = new HoleChase(context, options);
    this.clocks = new Clocks(stats.options.finishedRetentionUs / 2);
    this.nextHealthUs = options.healthEveryUs;
    this.nextCompareUs = this.untilNextCompare();
  }

  step(input: Input, nowUs: number, monotonicUs: number): Command[] {
    this.nowUs = nowUs;
    const passedUs = Math.max(0, monotonicUs - (this.lookedUs ?? monotonicUs));
    this.elapsedUs += passedUs;
    this.workedUs += Math.min(passedUs, MAX_STEP_US);
    this.lookedUs = monotonicUs;
    this.take(input);
    const { commands } = this;
    this.commands = [];
    return commands;
  }

  /** Whether it has caught up, and serves. */
  get joining(): JoiningState {
    const { alone, aheadUs } = this.clockView;
    if (!alone) return this.joiningState;
    const reason = `the clock is ${clockText(aheadUs!)} the clocks of the other replicas`;
    return { ready: false, caughtUp: false, reason };
  }

  /** What is chased at a time, and what had to wait. */
  get chases(): { readonly use: number; readonly refused: number } {
    return { use: this.chase.chased, refused: this.chase.deferred };
  }

  /** Replicas that were heard lately. */
  get heardCount(): number {
    return this.spoken.size;
  }

  /**
   * Whether what others publish comes here, as far as can be told while the bus seems connected: all of them are silent at
   * once where a link is dead. When they have been for so long that the bus would know by now, they are gone.
   */
  get hears(): boolean {
    const silentUs = this.elapsedUs - this.lastHeardUs;
    return silentUs < SILENT_US || silentUs > DEAD_LINK_NOTICED_US;
  }

  get clock(): ClockView {
    return this.clockView;
  }

  /** Seqs that are missing and chased. */
  get missing(): number {
    return this.chase.count;
  }

  get peerStates(): Record<string, PeerState> {
    return this.table.states();
  }

  /** The id of the replica behind each address; null where it has not said it. */
  get peerReplicas(): Record<string, string | null> {
    return Object.fromEntries(
      this.table.all.map(({ address, status }) => [address, status?.replica ?? null]),
    );
  }

  /** How the peers are, by address. */
  get peerReports(): Record<string, PeerReport> {
    return this.table.reports();
  }

  /** What every replica that is known to live understands. */
  get fleetSpeaks(): number {
    const ofPeers = this.table.peers.flatMap(({ status }) => status?.speaks ?? []);
    const heard = [...this.spoken].flatMap(([replica, { speaks }]) =>
      this.isBelieved(replica) ? speaks : [],
    );
    return Math.min(this.self.speaks, ...ofPeers, ...heard);
  }

  private take(input: Input): void {
    switch (input.kind) {
      case 'tick':
        this.tick(input.around);
        return;
      case 'addresses':
        this.addresses(input.addresses);
        return;
      case 'heartbeat':
        this.heard(input.heartbeat);
        return;
      case 'status':
        this.answered(input.address, input.status);
        return;
      case 'pulled':
        this.pulled(input.address, input.merge);
        return;
      case 'failed':
        this.failed(input);
        return;
      case 'replaying':
        this.counts.historyReplays++;
        this.chase.historyIsReplayed(this.workedUs, this.table.contexts);
    }
  }

  private tick(around: Surroundings): void {
    this.context.protect(
      withOwnerOrigins([this.self.replica, ...this.table.replicas]),
      withOwnerOrigins([...this.spoken.keys()]),
    );
    this.context.forget(this.nowUs, this.self.replica);
    this.beat();
    // While the history is replayed holes are no losses yet.
    if (around.history !== 'replaying') this.watchHoles();
    this.watchClock();
    this.join(around);
    this.askWhoIsThere();
    this.compareForHoles();
    this.compareForAlarm();
  }

  // Heartbeats

  private beat(): void {
    if (this.nextHeartbeatUs > this.workedUs) return;
    this.nextHeartbeatUs = this.workedUs + this.options.heartbeatEveryUs;
    const { nowUs, self } = this;
    this.context.announce(self.replica, 0, nowUs, nowUs);
    const ownerOrigin = ownerOriginOf(self.replica);
    if (this.context.knows(ownerOrigin)) this.context.announce(ownerOrigin, 0, nowUs, nowUs);
    const sinceUs = nowUs - this.options.namedForUs;
    const isNamed = ([origin, newestUs]: readonly [string, number, number]): boolean =>
      origin === self.replica || newestUs > sinceUs;
    const age = ([origin, newestUs]: readonly [string, number, number]): number =>
      origin === self.replica ? -Infinity : -newestUs;
    const named = [...this.context.announcements()].filter(isNamed).sort((a, b) => age(a) - age(b));
    const highest = named.slice(0, MAX_NAMED_ORIGINS);
    const heartbeat = { ...self, ready: this.joining.ready, timeUs: nowUs, highest };
    this.commands.push({ kind: 'heartbeat', heartbeat });
  }

  private heard({ replica, speaks, ready, timeUs, highest, deployment }: Heartbeat): void {
    if (replica === this.self.replica || deployment !== this.self.deployment) return;
    const { nowUs } = this;
    if (
      !this.spoken.has(replica) &&
      this.spoken.size >= MAX_HEARD &&
      !this.table.replicas.includes(replica)
    ) {
      this.counts.heartbeatsRefused++;
      return;
    }
    if (this.isBelieved(replica)) {
      this.clocks.hear(replica, ready, nowUs - timeUs, this.elapsedUs);
      this.lastHeardUs = this.elapsedUs;
    }
    this.spoken.set(replica, { speaks, atUs: this.elapsedUs });
    // What claims to come from further ahead than any event may is not remembered.
    const latestUs = nowUs + this.stats.options.finishedRetentionUs;
    for (const [origin, newestUs, seq] of highest) {
      if (origin === this.self.replica || newestUs > latestUs) continue;
      this.context.announce(origin, seq, newestUs, nowUs);
    }
  }

  /** A heartbeat can be forged: where peers have answered, only theirs have a say in what concerns this replica. */
  private isBelieved(replica: string): boolean {
    const { replicas } = this.table;
    return replicas.length === 0 || replicas.includes(replica);
  }

  private watchClock(): void {
    const spokenSinceUs = this.elapsedUs - 10 * this.options.heartbeatEveryUs;
    for (const [replica, { atUs }] of this.spoken) if (atUs < spokenSinceUs) this.spoken.delete(replica);
    const before = this.clockView;
    this.clockView = this.clocks.view(this.joiningState.ready, this.elapsedUs);
    const { aheadUs, off, alone } = this.clockView;
    if (alone && !before.alone && this.joiningState.ready) {
      this.tell({ what: 'unready', reason: this.joining.reason });
    }
    if (off) {
      this.tellOnce('clock', 'off', { what: 'clock', replica: this.self.replica, aheadUs: aheadUs! });
      return;
    }
    this.told.delete('clock');
    const { apart } = this.clocks;
    const [first] = apart;
    if (!first) {
      this.told.delete('clocks');
      return;
    }
    // Together: ids of replicas can be forged, and are not to be remembered.
    const names = apart.map(([replica]) => replica).join();
    this.tellOnce('clocks', names, { what: 'clock', replica: first[0], aheadUs: -first[1] });
  }

  // Joining

  private join(around: Surroundings): void {
    const before = this.joiningState;
    if (before.caughtUp) return;
    // What peers showed before says nothing of what is published until the subscription stands again.
    if (!around.busConnected) for (const peer of this.table.peers) peer.shown = false;
    if (this.clockView.alone) return;
    const isSlow = ({ address }: Peer): boolean => {
      const exchange = this.exchanges.get(address);
      return exchange?.joining === true && exchange.startedUs + this.options.joinSlowAfterUs <= this.workedUs;
    };
    const peers = this.table.stateForJoining(around.peersKnown, this.context.hasEvents, isSlow);
    const late = this.elapsedUs >= this.options.readyTimeoutUs;
    const now = (this.joiningState = joined(before, around, peers, late));
    if (now.ready && !before.ready) this.tell({ what: 'ready', reason: now.reason });
    if (now.caughtUp || !around.busConnected) return;
    const asking = this.table.peers.filter(({ address }) => this.exchanges.get(address)?.joining);
    if (asking.every(isSlow)) this.askToShow();
  }

  /** Asks one ready peer whose state is not here yet: first those that did not fail. */
  private askToShow(): void {
    const missing = this.table.peers.filter(({ status, shown }) => status?.ready && !shown);
    const fresh = missing.find(({ failed, address }) => !failed && !this.exchanges.has(address));
    if (!fresh && this.joinRetryUs > this.workedUs) return;
    const chosen = fresh ?? missing[Math.floor(this.random() * missing.length)];
    if (chosen && this.compare(chosen, true)) this.joinRetryUs = this.workedUs + this.options.retryUs;
  }

  // Who is there

  private addresses(addresses: readonly string[]): void {
    const before = new Set(this.table.all.map(({ address }) => address));
    this.table.set(addresses);
    for (const address of before) {
      if (this.table.get(address)) continue;
      for (const about of ['', 'itself at ', 'records of ']) this.told.delete(about + address);
    }
    for (const { address } of this.table.all) if (!before.has(address)) this.askHealth(address);
  }

  private askWhoIsThere(): void {
    if (this.nextHealthUs > this.workedUs) return;
    this.nextHealthUs = this.workedUs + this.options.healthEveryUs;
    for (const { address } of this.table.all) this.askHealth(address);
  }

  private askHealth(address: string): void {
    if (this.exchanges.has(address)) return;
    this.exchanges.set(address, { kind: 'health', startedUs: this.workedUs, joining: false });
    this.commands.push({ kind: 'ask', address, cutOffs: undefined });
  }

  private answered(address: string, status: PeerStatus): void {
    const exchange = this.exchanges.get(address);
    this.exchanges.delete(address);
    const peer = this.table.get(address);
    if (!peer) return;
    this.table.observe(peer, status);
    if (peer.stranger) {
      this.tellOnce(`itself at ${address}`, 'itself', { what: 'itself', peer: address });
      return;
    }
    if (this.told.delete(address)) this.tell({ what: 'reachable', peer: address });
    const { nowUs, elapsedUs } = this;
    this.clocks.hear(status.replica, status.ready, nowUs - status.timeUs, elapsedUs);
    this.context.announceAll(status.context, this.self.replica, nowUs);
    this.context.learnLevels(status.context.levels);
    if (exchange?.kind === 'compare' && status.digests) {
      this.compared(peer, status, status.digests, exchange.joining);
    }
  }

  private failed({ address, reason, foreign, named }: Extract<Input, { kind: 'failed' }>): void {
    const exchange = this.exchanges.get(address);
    this.exchanges.delete(address);
    // What was merged of it is of events that are not claimed: they must at least be known to be missing.
    if (named) this.context.announceAll(named, this.self.replica, this.nowUs);
    if (exchange && exchange.kind !== 'health') {
      this.counts.failures++;
      this.chase.backOff(this.workedUs);
    }
    const peer = this.table.get(address);
    if (!peer) return;
    if (exchange?.joining) peer.failed = true;
    if (foreign) {
      this.table.isForeign(peer);
      this.tellOnce(address, 'other-deployment', { what: 'other-deployment', peer: address, reason });
    } else if (exchange?.kind === 'pull') {
      // A peer that answers a comparison but not a pull is busy, or broken, but there.
      peer.failedUs = this.workedUs;
    } else if (!this.table.missed(peer)) {
      this.nextHealthUs = Math.min(this.nextHealthUs, this.workedUs + this.options.retryUs);
    } else {
      this.tellOnce(address, reason, {
        what: 'unreachable',
        peer: address,
        reason,
        known: peer.replica !== undefined,
      });
    }
  }

  // Comparing and pulling

  private watchHoles(): void {
    this.chase.look(this.workedUs, this.nowUs);
    for (const { origin, seqs } of this.chase.giveUpOld(this.workedUs)) {
      this.counts.eventsGivenUp += seqs.count;
      this.tell({ what: 'given-up', origin, seqs });
    }
    const sinceUs = this.chase.wantsHistorySince(this.workedUs, this.table.contexts);
    if (sinceUs !== undefined) this.commands.push({ kind: 'replay', sinceUs });
  }

  private compareForHoles(): void {
    if (!this.chase.isDue(this.workedUs)) return;
    const peer = this.peerWithChased() ?? this.table.next();
    if (peer && this.compare(peer)) this.chase.backOff(this.workedUs);
  }

  private compareForAlarm(): void {
    if (this.recheck && this.recheck.atUs <= this.workedUs) {
      const peer = this.table.get(this.recheck.address);
      if (!peer || peer.stranger || this.compare(peer)) this.recheck = undefined;
    }
    if (this.nextCompareUs > this.workedUs) return;
    const peer = this.table.next();
    if (!peer || this.compare(peer)) this.nextCompareUs = this.untilNextCompare();
  }

  private untilNextCompare(): number {
    return this.workedUs + this.options.compareEveryUs * (0.8 + 0.4 * this.random());
  }

  private peerWithChased(): Peer | undefined {
    const able = this.table.peers.filter(
      ({ address, status }) => status && this.chase.isKnownTo(status.context) && !this.exchanges.has(address),
    );
    const longAgoUs = this.workedUs - this.options.avoidAfterFailureUs;
    const better = able.filter(({ failedUs }) => failedUs < longAgoUs);
    const from = better.length > 0 ? better : able;
    return from[Math.floor(this.random() * from.length)];
  }

  /** True when it was started: there is no other exchange, or each is slow or with an address that may not answer. */
  private compare({ address, misses }: Peer, joining = false): boolean {
    if (this.exchanges.has(address)) return false;
    const others = [...this.exchanges].filter(([, { kind }]) => kind !== 'health');
    const slowSinceUs = this.workedUs - this.options.slowAfterUs;
    const inTheWay = ([other, { startedUs }]: readonly [string, Exchange]): boolean =>
      startedUs > slowSinceUs && this.table.get(other)?.misses === 0;
    if (others.length > 0 && (misses > 0 || others.length >= MAX_EXCHANGES || others.some(inTheWay)))
      return false;
    this.exchanges.set(address, { kind: 'compare', startedUs: this.workedUs, joining });
    this.counts.compares++;
    const cutOffs = cutOffsAt(this.nowUs, this.stats.options);
    this.commands.push({ kind: 'ask', address, cutOffs });
    return true;
  }

  /** A joining replica pulls whatever a ready peer has. */
  private compared(peer: Peer, status: PeerStatus, digests: StateDigests, joining: boolean): void {
    // By such a clock other requests have expired: what it claims, it may no longer show.
    const apart = Math.abs(this.nowUs - status.timeUs) > this.stats.options.finishedRetentionUs;
    if (apart) {
      peer.failed ||= joining;
      return;
    }
    const toShow = joining && status.ready;
    if (joining && !toShow) peer.failed = true;
    if (toShow || this.chase.isKnownTo(status.context)) this.pull(peer, status, digests, toShow);
    else this.checkAgreement(peer, status, digests);
  }

  /** Pulls what differs, and the rows: those of finished requests are in no digest. */
  private pull(peer: Peer, status: PeerStatus, digests: StateDigests, joining: boolean): void {
    const cutOffs = cutOffsAt(this.nowUs, this.stats.options);
    const difference = compareDigests(digestsOf(this.stats, cutOffs), digests, cutOffs);
    const selection = difference.mostly ? undefined : difference.pull;
    const startedUs = this.workedUs;
    this.exchanges.set(peer.address, { kind: 'pull', startedUs, status, selection, joining });
    this.counts.pulls++;
    if (!selection) this.counts.fullPulls++;
    this.commands.push({ kind: 'pull', address: peer.address, selection });
  }

  private pulled(address: string, merge: SnapshotMerge): void {
    const exchange = this.exchanges.get(address);
    const { status, selection } = exchange ?? {};
    this.counts.recordsMerged += merge.records;
    this.counts.recordsSkipped += merge.skipped;
    if (merge.skipped > 0) {
      this.tellOnce(`records of ${address}`, 'skipped', {
        what: 'skipped',
        peer: address,
        records: merge.skipped,
      });
    }
    // A process that has taken the place of the one that was compared with does not show what that one had.
    const same = merge.source?.replica === status?.replica;
    const shown = selection ? status?.context : merge.context;
    if (!merge.complete || !status || !shown || !same) {
      const reason = 'the snapshot came to no good end';
      this.failed({ kind: 'failed', address, reason, foreign: false, named: merge.context });
      return;
    }
    this.exchanges.delete(address);
    this.context.learnLevels(merge.levels);
    // What had no room here, or is in a level that is not spoken here, this view does not show: nothing may be claimed.
    if (merge.claimable) this.context.join(shown, this.self.replica, this.nowUs);
    this.tell({ what: 'repaired', peer: address, records: merge.records, full: !selection });
    this.chase.pulled(this.workedUs);
    const peer = this.table.get(address);
    if (!exchange?.joining || !peer) return;
    if (merge.source?.ready) peer.shown = true;
    else peer.failed = true;
  }

  /** The alarm: replicas that have seen the same events must hold the same state. Each side looks for itself. */
  private checkAgreement(peer: Peer, status: PeerStatus, digests: StateDigests): void {
    const { options } = this.stats;
    const sinceUs = this.nowUs - options.expireAfterUs - options.finishedRetentionUs;
    const cutOffs = cutOffsAt(this.nowUs + this.options.marginUs, options);
    // In the lowest language of the two.
    const context = this.context.copy(Math.min(status.speaks, this.self.speaks));
    const ours = { context, digests: digestsOf(this.stats, cutOffs) };
    const state = peer.agreement.check(ours, { context: status.context, digests }, cutOffs, sinceUs);
    if (state === 'open') {
      this.recheck = { address: peer.address, atUs: this.workedUs + this.options.retryUs * 4 };
    }
    if (state !== 'diverged' && state !== 'incomplete') return;
    // A replica that speaks less hands requests on without saying whose they are.
    const known = this.fleetSpeaks < this.self.speaks ? { owned: undefined, owners: undefined } : {};
    const { any, pull: seconds } = compareDigests({ ...ours.digests, ...known }, digests, cutOffs);
    if (state === 'diverged' && any) {
      this.counts.divergences++;
      this.tell({ what: 'divergence', peer: peer.address, replica: status.replica, seconds });
    }
    this.pull(peer, status, digests, false);
  }

  private tell(news: News): void {
    this.commands.push({ kind: 'tell', news });
  }

  /** Tells it when it begins, or changes. */
  private tellOnce(about: string, what: string, news: News): void {
    if (this.told.get(about) === what) return;
    this.told.set(about, what);
    this.tell(news);
  }
}

function withOwnerOrigins(replicas: readonly string[]): Set<string> {
  return new Set([...replicas, ...replicas.map(ownerOriginOf)]);
}

export function clockText(aheadUs: number): string {
  return `${Math.abs(Math.round(aheadUs / 1e6))} s ${aheadUs > 0 ? 'ahead of' : 'behind'}`;
}
