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
import { compareDigests, type StateDigests } from './digests';
import { Heard, type ClockView } from './heard';
import { HoleChase } from './holes';
import { joined, type JoiningState, type Surroundings } from './joining';
import type { RepairOptions } from './repair-options';
import { PeerTable, stateOf, type PeerReport, type Peer, type PeerState } from './peer-table';
import { MAX_NAMED_ORIGINS, type Heartbeat, type Identity, type PeerStatus } from './protocol';

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
  /** `digestsAtUs` asks for digests too, of what matters at that time. */
  | { readonly kind: 'ask'; readonly address: string; readonly digestsAtUs: number | undefined }
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
      readonly what: 'peer';
      readonly peer: string;
      readonly state: PeerState;
      readonly reason?: string | undefined;
      /** Whether it has answered before. */
      readonly known: boolean;
    }
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
  /** Not taken in: there were too many, or too many replicas were heard. */
  heartbeatsRefused = 0;
}

/** What is under way with an address: who is there, a comparison, or a pull with what the peer had said before. */
interface Exchange {
  readonly kind: 'health' | 'compare' | 'pull';
  /** The comparison of a pull. */
  readonly startedUs: number;
  readonly status?: PeerStatus;
  readonly selection?: SnapshotSelection | undefined;
}

interface Comparison {
  readonly peer: Peer;
  readonly status: PeerStatus;
  readonly digests: StateDigests;
  readonly startedUs: number;
}

/** Ticks are a tenth of a second apart: what is longer was no time to work in, as of a process that was suspended. */
const MAX_STEP_US = 1_000_000;
/** Of heartbeats that come once a second. */
const SILENT_US = 2_500_000;
/** The bus notices a dead link after two pings, 12 s. */
const DEAD_LINK_NOTICED_US = 15_000_000;
const MAX_EXCHANGES = 2;
/** What differs from a peer is looked at again. */
const LOOK_AGAIN_US = 1_000_000;
/** Replicas that are only heard. Whoever can publish can make heartbeats of any number of them. */
export const MAX_HEARD = 64;
const STARTING: JoiningState = { ready: false, caughtUp: false, reason: 'starting' };

export class Repair {
  readonly counts = new RepairCounts();
  private readonly table: PeerTable;
  readonly chase: HoleChase;
  readonly others: Heard;
  /** By address. */
  private readonly exchanges = new Map<string, Exchange>();
  /** What was told of clocks that are off. */
  private toldOfClocks = '';
  private joiningState = STARTING;
  clock: ClockView = { aheadUs: undefined, off: false, alone: false };
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
  private joinRetryUs = 0;
  /** Until when there was no subscription. */
  private unsubscribedUs = -Infinity;
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
    this.others = new Heard(stats.options.finishedRetentionUs / 2, (replica) => this.isBelieved(replica));
    this.nextHealthUs = options.healthEveryUs;
    this.nextCompareUs = options.compareEveryUs;
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
    const { alone, aheadUs } = this.clock;
    if (!alone) return this.joiningState;
    const reason = `the clock is ${clockText(aheadUs!)} the clocks of the other replicas`;
    return { ready: false, caughtUp: false, reason };
  }

  /**
   * Whether what others publish comes here, as far as can be told while the bus seems connected: all of them are silent at
   * once where a link is dead. When they have been for so long that the bus would know by now, they are gone.
   */
  get hears(): boolean {
    const silentUs = this.elapsedUs - this.lastHeardUs;
    return silentUs < SILENT_US || silentUs > DEAD_LINK_NOTICED_US;
  }

  /** Seqs that are missing and chased. */
  get missing(): number {
    return this.chase.count;
  }

  /** By address. */
  get peers(): Record<string, PeerReport> {
    return this.table.reports();
  }

  /** What every replica that is known to live understands. */
  get fleetSpeaks(): number {
    return Math.min(this.self.speaks, ...this.others.believed.map(({ speaks }) => speaks));
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
        this.chase.historyIsReplayed(this.workedUs, this.table.contexts);
    }
  }

  private tick(around: Surroundings): void {
    this.context.protect(
      withOwnerOrigins([this.self.replica, ...this.table.replicas]),
      withOwnerOrigins(this.others.replicas),
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
    // Itself first, whatever times are forged.
    const rank = ([origin, newestUs]: Heartbeat['highest'][number]): number =>
      origin === self.replica ? Infinity : newestUs;
    const named = [...this.context.announcements()].filter((announced) => rank(announced) > sinceUs);
    const highest = named.sort((a, b) => rank(b) - rank(a)).slice(0, MAX_NAMED_ORIGINS);
    const heartbeat = { ...self, ready: this.joining.ready, timeUs: nowUs, highest };
    this.commands.push({ kind: 'heartbeat', heartbeat });
  }

  private heard(heartbeat: Heartbeat): void {
    const { replica, highest, deployment } = heartbeat;
    if (replica === this.self.replica || deployment !== this.self.deployment) return;
    const { nowUs } = this;
    const { replicas } = this.others;
    if (replicas.length >= MAX_HEARD && ![...replicas, ...this.table.replicas].includes(replica)) {
      this.counts.heartbeatsRefused++;
      return;
    }
    this.others.hear(heartbeat, nowUs, this.elapsedUs);
    if (this.isBelieved(replica)) this.lastHeardUs = this.elapsedUs;
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
    this.others.forget(this.elapsedUs);
    const before = this.clock;
    this.clock = this.others.clock(this.joiningState.ready);
    const { aheadUs, off, alone } = this.clock;
    if (alone && !before.alone && this.joiningState.ready) {
      this.tell({ what: 'unready', reason: this.joining.reason });
    }
    const wrong = off ? [{ ...this.self, aheadUs: -aheadUs! }] : this.others.apart;
    const [first] = wrong;
    // Together: ids of replicas can be forged, and are not to be remembered.
    const names = wrong.map((other) => other.replica).join();
    if (first && names !== this.toldOfClocks) {
      this.tell({ what: 'clock', replica: first.replica, aheadUs: -first.aheadUs });
    }
    this.toldOfClocks = names;
  }

  // Joining

  private join(around: Surroundings): void {
    const before = this.joiningState;
    if (before.caughtUp) return;
    // What peers showed before says nothing of what is published until the subscription stands again.
    if (!around.busConnected) {
      this.unsubscribedUs = this.workedUs;
      for (const peer of this.table.peers) peer.shown = peer.failed = false;
    }
    if (this.clock.alone) return;
    const isSlow = ({ address }: Peer): boolean => this.isSlow(this.exchanges.get(address));
    const peers = this.table.stateForJoining(around.peersKnown, this.context.hasEvents, isSlow);
    const late = this.elapsedUs >= this.options.readyTimeoutUs;
    const now = (this.joiningState = joined(before, around, peers, late));
    if (now.ready && !before.ready) this.tell({ what: 'ready', reason: now.reason });
    if (!now.caughtUp && around.busConnected) this.askToShow();
  }

  /** Asks one ready peer whose state is not here yet: first those that did not fail. */
  private askToShow(): void {
    const missing = this.table.peers.filter(({ status, shown }) => status?.ready && !shown);
    const fresh = missing.find(({ failed, address }) => !failed && !this.exchanges.has(address));
    if (!fresh && this.joinRetryUs > this.workedUs) return;
    const chosen = fresh ?? missing[Math.floor(this.random() * missing.length)];
    if (chosen && this.compare(chosen)) this.joinRetryUs = this.workedUs + this.options.retryUs;
  }

  // Who is there

  private addresses(addresses: readonly string[]): void {
    const before = new Set(this.table.all.map(({ address }) => address));
    this.table.set(addresses);
    for (const { address } of this.table.all) if (!before.has(address)) this.askHealth(address);
  }

  private askWhoIsThere(): void {
    if (this.nextHealthUs > this.workedUs) return;
    this.nextHealthUs = this.workedUs + this.options.healthEveryUs;
    for (const { address } of this.table.all) this.askHealth(address);
  }

  private askHealth(address: string): void {
    if (this.exchanges.has(address)) return;
    this.exchanges.set(address, { kind: 'health', startedUs: this.workedUs });
    this.commands.push({ kind: 'ask', address, digestsAtUs: undefined });
  }

  private answered(address: string, status: PeerStatus): void {
    const exchange = this.exchanges.get(address);
    this.exchanges.delete(address);
    const peer = this.table.get(address);
    if (!peer) return;
    this.table.observe(peer, status);
    this.tellOf(peer);
    if (peer.stranger) return;
    this.others.hear(status, this.nowUs, this.elapsedUs);
    this.context.announceAll(status.context, this.self.replica, this.nowUs);
    this.context.learnLevels(status.context.levels);
    if (exchange?.kind === 'compare' && status.digests) {
      this.compared({ peer, status, digests: status.digests, startedUs: exchange.startedUs });
    }
  }

  private failed({ address, reason, foreign, named }: Extract<Input, { kind: 'failed' }>): void {
    const exchange = this.exchanges.get(address);
    this.exchanges.delete(address);
    // What was merged of it is of events that are not claimed: they must at least be known to be missing.
    if (named) this.context.announceAll(named, this.self.replica, this.nowUs);
    const wasAsked = exchange && exchange.kind !== 'health';
    if (wasAsked) this.counts.failures++;
    const peer = this.table.get(address);
    if (!peer) return;
    peer.failed ||= wasAsked === true;
    // A peer that answers a comparison but not a pull is busy, or broken, but there.
    if (foreign) this.table.isForeign(peer);
    else if (exchange?.kind === 'pull') return;
    else if (!this.table.missed(peer)) {
      this.nextHealthUs = Math.min(this.nextHealthUs, this.workedUs + this.options.retryUs);
      return;
    }
    this.tellOf(peer, reason);
  }

  /** Tells how it is, once for each reason, unless that is as it should be from the beginning. */
  private tellOf(peer: Peer, reason?: string): void {
    const state = stateOf(peer);
    const told = state === 'ready' || state === 'joining' ? undefined : (reason ?? state);
    if (told === peer.told) return;
    peer.told = told;
    this.tell({ what: 'peer', peer: peer.address, state, reason, known: peer.replica !== undefined });
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
    const able = this.table.peers.filter(
      ({ address, status }) => status && this.chase.isKnownTo(status.context) && !this.exchanges.has(address),
    );
    const peer = able[Math.floor(this.random() * able.length)] ?? this.table.next();
    if (peer && this.compare(peer)) this.chase.backOff(this.workedUs);
  }

  private compareForAlarm(): void {
    if (this.nextCompareUs > this.workedUs) return;
    const doubtful = this.table.peers.find(({ status, rows }) => status && rows === 'open');
    const peer = doubtful ?? this.table.next();
    if (!peer || this.compare(peer)) this.nextCompareUs = this.workedUs + this.options.compareEveryUs;
  }

  /** True when it was started: there is no other exchange, or the one that there is is slow. */
  private compare({ address }: Peer): boolean {
    if (this.exchanges.has(address)) return false;
    const others = [...this.exchanges.values()].filter(({ kind }) => kind !== 'health');
    if (others.length >= MAX_EXCHANGES || !others.every((other) => this.isSlow(other))) return false;
    this.exchanges.set(address, { kind: 'compare', startedUs: this.workedUs });
    this.counts.compares++;
    this.commands.push({ kind: 'ask', address, digestsAtUs: this.nowUs });
    return true;
  }

  private isSlow(exchange: Exchange | undefined): boolean {
    return exchange !== undefined && exchange.startedUs + this.options.slowAfterUs <= this.workedUs;
  }

  /** A joining replica pulls whatever a ready peer has. */
  private compared(comparison: Comparison): void {
    const { peer, status } = comparison;
    const joining = !this.joiningState.caughtUp;
    // By such a clock other requests have expired: what it claims, it may no longer show.
    const apart = Math.abs(this.nowUs - status.timeUs) > this.stats.options.finishedRetentionUs;
    peer.failed ||= apart;
    if (apart) return;
    if ((joining && status.ready) || this.chase.isKnownTo(status.context)) this.pull(comparison);
    else this.checkAgreement(comparison);
  }

  /** Pulls what differs, and the rows: those of finished requests are in no digest. */
  private pull({ peer, status, digests, startedUs }: Comparison): void {
    const { mostly, pull } = compareDigests(this.stats, digests, this.nowUs);
    const selection = mostly ? undefined : pull;
    this.exchanges.set(peer.address, { kind: 'pull', startedUs, status, selection });
    this.counts.pulls++;
    if (!selection) this.counts.fullPulls++;
    this.commands.push({ kind: 'pull', address: peer.address, selection });
  }

  private pulled(address: string, merge: SnapshotMerge): void {
    const exchange = this.exchanges.get(address);
    const { status, selection } = exchange ?? {};
    this.counts.recordsMerged += merge.records;
    this.counts.recordsSkipped += merge.skipped;
    if (merge.skipped > 0) this.tell({ what: 'skipped', peer: address, records: merge.skipped });
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
    this.chase.dropFilled();
    const peer = this.table.get(address);
    if (peer && merge.source!.ready && exchange!.startedUs > this.unsubscribedUs) peer.shown = true;
  }

  /** The alarm: replicas that have seen the same events must hold the same state. Each side looks for itself. */
  private checkAgreement(comparison: Comparison): void {
    const { peer, status, digests } = comparison;
    const { options } = this.stats;
    const sinceUs = this.nowUs - options.expireAfterUs - options.finishedRetentionUs;
    // A replica that speaks less hands requests on without saying whose they are.
    const unknown = this.fleetSpeaks < this.self.speaks ? { owned: undefined, owners: undefined } : {};
    const theirs = { ...digests, ...unknown };
    const atUs = this.nowUs + this.options.marginUs;
    const { differences, pull: seconds } = compareDigests(this.stats, theirs, atUs);
    // In the lowest language of the two.
    const copy = (): CausalContext => this.context.copy(Math.min(status.speaks, this.self.speaks));
    const state = peer.agreement.check(copy, status.context, differences, sinceUs);
    peer.rows = state;
    if (state === 'open') this.nextCompareUs = this.workedUs + LOOK_AGAIN_US;
    if (state !== 'diverged' && state !== 'incomplete') return;
    if (state === 'diverged') {
      this.counts.divergences++;
      this.tell({ what: 'divergence', peer: peer.address, replica: status.replica, seconds });
    }
    this.pull(comparison);
  }

  private tell(news: News): void {
    this.commands.push({ kind: 'tell', news });
  }
}

function withOwnerOrigins(replicas: readonly string[]): Set<string> {
  return new Set([...replicas, ...replicas.map(ownerOriginOf)]);
}

export function clockText(aheadUs: number): string {
  return `${Math.abs(Math.round(aheadUs / 1e6))} s ${aheadUs > 0 ? 'ahead of' : 'behind'}`;
}
