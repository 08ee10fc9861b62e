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
import type { SnapshotSelection } from '../core/snapshot';
import type { SnapshotMerge } from '../core/snapshot-merge';
import { compareDigests } from './digests';
import { Heard, type ClockView } from './heard';
import { HoleChase } from './holes';
import { joined, stateOfPeers, type JoiningState, type Surroundings } from './joining';
import type { RepairOptions } from './repair-options';
import { Peer, type PeerReport } from './peer';
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
  /** What an operator should know. */
  | { readonly kind: 'tell'; readonly news: News; readonly fields: Fields };

/** The lines of the log: how grave it is, and the words. */
export const NEWS = {
  ready: ['info', 'ready'],
  unready: ['error', 'no longer ready'],
  'given-up': ['warn', 'lost events given up: no live peer has them'],
  'given-up-of': ['debug', 'lost events of an origin given up'],
  divergence: ['error', 'replicas that have seen the same events differ; merging both ways'],
  repaired: ['debug', 'pulled from a peer'],
  skipped: ['info', 'a peer shows kinds of records that this version does not know; left out'],
  clock: ['warn', 'the clock of a replica is off: beyond the finished retention its reports are refused'],
  'peer ready': ['info', 'peer reachable again'],
  'peer joining': ['info', 'peer reachable again'],
  'peer unreachable': ['warn', 'peer unreachable'],
  /** It was never there: it is starting, as this replica is. */
  'peer unknown': ['info', 'peer unreachable'],
  'peer other-deployment': ['warn', 'an address belongs to another deployment: its state is not asked for'],
  'peer itself': [
    'warn',
    'an address of the discovery name leads back to this replica: if it is that of a load balancer, other replicas cannot be found behind it',
  ],
} as const;
export type News = keyof typeof NEWS;
type Fields = Readonly<Record<string, unknown>> & { readonly peer?: string };

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

export class Repair {
  readonly counts = new RepairCounts();
  /** By address, all that discovery names. */
  private readonly addresses = new Map<string, Peer>();
  /** Whose turn it is to be compared with. */
  private turn = 0;
  readonly chase: HoleChase;
  readonly others: Heard;
  /** By address. */
  private readonly exchanges = new Map<string, Exchange>();
  /** What was told of clocks that are off. */
  private toldOfClocks = '';
  private joiningState: JoiningState = { ready: false, caughtUp: false, reason: 'starting' };
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
    this.chase = new HoleChase(context, options);
    this.others = new Heard(stats.options.finishedRetentionUs / 2, () => this.believed());
    this.nextHealthUs = options.healthEveryUs;
    this.nextCompareUs = options.compareEveryUs;
  }

  step(input: Input, nowUs: number, monotonicUs: number): Command[] {
    this.nowUs = nowUs;
    const passedUs = Math.max(0, monotonicUs - (this.lookedUs ?? monotonicUs));
    this.elapsedUs += passedUs;
    this.workedUs += Math.min(passedUs, MAX_STEP_US);
    this.lookedUs = monotonicUs;
    if (input.kind === 'tick') this.tick(input.around);
    else if (input.kind === 'addresses') this.named(input.addresses);
    else if (input.kind === 'heartbeat') this.heard(input.heartbeat);
    else if (input.kind === 'status') this.answered(input.address, input.status);
    else if (input.kind === 'pulled') this.pulled(input.address, input.merge);
    else if (input.kind === 'failed') this.failed(input);
    else this.chase.historyIsReplayed(this.workedUs, this.contexts);
    const { commands } = this;
    this.commands = [];
    return commands;
  }

  /** Whether it has caught up, and serves. */
  get joining(): JoiningState {
    const { alone, aheadUs } = this.clock;
    if (!alone) return this.joiningState;
    return { ready: false, caughtUp: false, reason: clockText(aheadUs!) };
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
    return Object.fromEntries(Array.from(this.addresses, ([address, { report }]) => [address, report]));
  }

  /** The other replicas of this deployment, as far as is known. */
  private get fleet(): Peer[] {
    return [...this.addresses.values()].filter(({ stranger }) => stranger === undefined);
  }

  /** What those of them have seen that answer. */
  private get contexts(): CausalContext[] {
    return this.fleet.flatMap(({ status }) => status?.context ?? []);
  }

  /** Who was behind the addresses of peers when they answered last. */
  private get replicas(): string[] {
    return this.fleet.flatMap(({ replica }) => replica ?? []);
  }

  /** What every replica that is known to live understands. */
  get fleetSpeaks(): number {
    return Math.min(this.self.speaks, ...this.others.believed.map(({ speaks }) => speaks));
  }

  private tick(around: Surroundings): void {
    this.context.protect(
      withOwnerOrigins([this.self.replica, ...this.replicas]),
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
    if (replicas.length >= MAX_HEARD && ![...replicas, ...this.replicas].includes(replica)) {
      this.counts.heartbeatsRefused++;
      return;
    }
    this.others.hear(heartbeat, nowUs, this.elapsedUs);
    if (this.believed()(replica)) this.lastHeardUs = this.elapsedUs;
    // What claims to come from further ahead than any event may is not remembered.
    const latestUs = nowUs + this.stats.options.finishedRetentionUs;
    for (const [origin, newestUs, seq] of highest) {
      if (origin === this.self.replica || newestUs > latestUs) continue;
      this.context.announce(origin, seq, newestUs, nowUs);
    }
  }

  /** A heartbeat can be forged: where peers have answered, only theirs have a say in what concerns this replica. */
  private believed(): (replica: string) => boolean {
    const { replicas } = this;
    return (replica) => replicas.length === 0 || replicas.includes(replica);
  }

  private watchClock(): void {
    this.others.forget(this.elapsedUs);
    const before = this.clock;
    this.clock = this.others.clock(this.joiningState.ready);
    const { aheadUs, off, alone } = this.clock;
    if (alone && !before.alone && this.joiningState.ready) {
      this.tell('unready', { reason: this.joining.reason });
    }
    const wrong = off ? [{ ...this.self, aheadUs: -aheadUs! }] : this.others.apart;
    const [first] = wrong;
    // Together: ids of replicas can be forged, and are not to be remembered.
    const names = wrong.map((other) => other.replica).join();
    if (first && names !== this.toldOfClocks) {
      this.tell('clock', { peer_replica: first.replica, aheadUs: -first.aheadUs });
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
      for (const peer of this.fleet) peer.shown = peer.failed = false;
    }
    if (this.clock.alone) return;
    const isSlow = ({ address }: Peer): boolean => this.isSlow(this.exchanges.get(address));
    const peers = stateOfPeers(this.fleet, around.peersKnown, this.context.hasEvents, isSlow);
    const late = this.elapsedUs >= this.options.readyTimeoutUs;
    const now = (this.joiningState = joined(before, around, peers, late));
    const fields = { reason: now.reason, holes: this.missing, in_flight: this.stats.inFlight.size };
    if (now.ready && !before.ready) this.tell('ready', fields);
    if (!now.caughtUp && around.busConnected) this.askToShow();
  }

  /** Asks one ready peer whose state is not here yet: first those that did not fail. */
  private askToShow(): void {
    const missing = this.fleet.filter(({ status, shown }) => status?.ready && !shown);
    const fresh = missing.find(({ failed, address }) => !failed && !this.exchanges.has(address));
    if (!fresh && this.joinRetryUs > this.workedUs) return;
    const chosen = fresh ?? missing[Math.floor(this.random() * missing.length)];
    if (chosen && this.compare(chosen)) this.joinRetryUs = this.workedUs + this.options.retryUs;
  }

  // Who is there

  private named(addresses: readonly string[]): void {
    for (const address of this.addresses.keys())
      if (!addresses.includes(address)) this.addresses.delete(address);
    for (const address of addresses) {
      if (this.addresses.has(address)) continue;
      this.addresses.set(address, new Peer(address));
      this.askHealth(address);
    }
  }

  private askWhoIsThere(): void {
    if (this.nextHealthUs > this.workedUs) return;
    this.nextHealthUs = this.workedUs + this.options.healthEveryUs;
    for (const address of this.addresses.keys()) this.askHealth(address);
  }

  private askHealth(address: string): void {
    if (this.exchanges.has(address)) return;
    this.exchanges.set(address, { kind: 'health', startedUs: this.workedUs });
    this.commands.push({ kind: 'ask', address, digestsAtUs: undefined });
  }

  private answered(address: string, status: PeerStatus): void {
    const exchange = this.exchanges.get(address);
    this.exchanges.delete(address);
    const peer = this.addresses.get(address);
    if (!peer) return;
    peer.observe(status, this.self.replica);
    this.tellOf(peer);
    if (peer.stranger) return;
    this.others.hear(status, this.nowUs, this.elapsedUs);
    this.context.announceAll(status.context, this.self.replica, this.nowUs);
    this.context.learnLevels(status.context.levels);
    if (exchange?.kind === 'compare' && status.digests) this.compared(peer, status, exchange.startedUs);
  }

  private failed({ address, reason, foreign, named }: Extract<Input, { kind: 'failed' }>): void {
    const exchange = this.exchanges.get(address);
    this.exchanges.delete(address);
    // What was merged of it is of events that are not claimed: they must at least be known to be missing.
    if (named) this.context.announceAll(named, this.self.replica, this.nowUs);
    const wasAsked = exchange && exchange.kind !== 'health';
    if (wasAsked) this.counts.failures++;
    const peer = this.addresses.get(address);
    if (!peer) return;
    peer.failed ||= wasAsked === true;
    // A peer that answers a comparison but not a pull is busy, or broken, but there.
    if (foreign) peer.isForeign();
    else if (exchange?.kind === 'pull') return;
    else if (!peer.missed()) {
      this.nextHealthUs = Math.min(this.nextHealthUs, this.workedUs + this.options.retryUs);
      return;
    }
    this.tellOf(peer, reason);
  }

  /** Tells how it is, once for each reason, unless that is as it should be from the beginning. */
  private tellOf(peer: Peer, reason?: string): void {
    const { state, address, replica } = peer;
    const told = state === 'ready' || state === 'joining' ? undefined : (reason ?? state);
    if (told === peer.told) return;
    peer.told = told;
    const isNew = state === 'unreachable' && replica === null;
    this.tell(isNew ? 'peer unknown' : `peer ${state}`, { peer: address, reason });
  }

  // Comparing and pulling

  private watchHoles(): void {
    this.chase.look(this.workedUs, this.nowUs);
    const old = this.chase.giveUpOld(this.workedUs);
    for (const { origin, seqs } of old) {
      this.counts.eventsGivenUp += seqs.count;
      this.tell('given-up-of', { origin, seqs });
    }
    if (old.length > 0) this.tell('given-up', { so_far: this.counts.eventsGivenUp });
    const sinceUs = this.chase.wantsHistorySince(this.workedUs, this.contexts);
    if (sinceUs !== undefined) this.commands.push({ kind: 'replay', sinceUs });
  }

  private compareForHoles(): void {
    if (!this.chase.isDue(this.workedUs)) return;
    const able = this.fleet.filter(
      ({ address, status }) => status && this.chase.isKnownTo(status.context) && !this.exchanges.has(address),
    );
    const peer = able[Math.floor(this.random() * able.length)] ?? this.next();
    if (peer && this.compare(peer)) this.chase.backOff(this.workedUs);
  }

  private compareForAlarm(): void {
    if (this.nextCompareUs > this.workedUs) return;
    const doubtful = this.fleet.find(({ status, rows }) => status && rows === 'open');
    const peer = doubtful ?? this.next();
    if (!peer || this.compare(peer)) this.nextCompareUs = this.workedUs + this.options.compareEveryUs;
  }

  /** One peer after the other. */
  private next(): Peer | undefined {
    const { fleet } = this;
    return fleet[this.turn++ % fleet.length];
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
  private compared(peer: Peer, status: PeerStatus, startedUs: number): void {
    const joining = !this.joiningState.caughtUp;
    // By such a clock other requests have expired: what it claims, it may no longer show.
    const apart = Math.abs(this.nowUs - status.timeUs) > this.stats.options.finishedRetentionUs;
    peer.failed ||= apart;
    if (apart) return;
    if ((joining && status.ready) || this.chase.isKnownTo(status.context)) this.pull(peer, status, startedUs);
    else this.checkAgreement(peer, status, startedUs);
  }

  /** Pulls what differs, and the rows: those of finished requests are in no digest. */
  private pull(peer: Peer, status: PeerStatus, startedUs: number): void {
    const { mostly, pull } = compareDigests(this.stats, status.digests!, this.nowUs);
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
    if (merge.skipped > 0) this.tell('skipped', { peer: address, records: merge.skipped });
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
    this.tell('repaired', { peer: address, records: merge.records, full: !selection });
    this.chase.dropFilled();
    const peer = this.addresses.get(address);
    if (peer && merge.source!.ready && exchange!.startedUs > this.unsubscribedUs) peer.shown = true;
  }

  /** The alarm: replicas that have seen the same events must hold the same state. Each side looks for itself. */
  private checkAgreement(peer: Peer, status: PeerStatus, startedUs: number): void {
    const { expireAfterUs, finishedRetentionUs } = this.stats.options;
    const sinceUs = this.nowUs - expireAfterUs - finishedRetentionUs;
    const atUs = this.nowUs + this.options.marginUs;
    // A replica that speaks less hands requests on without saying whose they are.
    const level = this.fleetSpeaks < this.self.speaks ? 1 : this.self.speaks;
    const found = compareDigests(this.stats, status.digests!, atUs, level);
    // In the lowest language of the two.
    const copy = (): CausalContext => this.context.copy(Math.min(status.speaks, this.self.speaks));
    peer.rows = peer.agreement.check(copy, status.context, found.differences, sinceUs);
    if (peer.rows === 'open') this.nextCompareUs = this.workedUs + LOOK_AGAIN_US;
    if (peer.rows !== 'diverged' && peer.rows !== 'incomplete') return;
    if (peer.rows === 'diverged') {
      this.counts.divergences++;
      const { address, replica } = peer;
      this.tell('divergence', { peer: address, peer_replica: replica, seconds: found.pull });
    }
    this.pull(peer, status, startedUs);
  }

  private tell(news: News, fields: Fields): void {
    this.commands.push({ kind: 'tell', news, fields });
  }
}

function withOwnerOrigins(replicas: readonly string[]): Set<string> {
  return new Set([...replicas, ...replicas.map(ownerOriginOf)]);
}

export function clockText(aheadUs: number): string {
  const how = aheadUs > 0 ? 'ahead of' : 'behind';
  return `the clock is ${Math.abs(Math.round(aheadUs / 1e6))} s ${how} the clocks of the other replicas`;
}
