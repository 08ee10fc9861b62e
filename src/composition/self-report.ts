/**
 * What a replica says of itself: to operators (`/readyz`) and to Prometheus (its limits).
 */
import type { Bus } from '../bus/bus';
import type { Config } from '../config/config';
import type { CausalContext } from '../core/causal-context';
import type { LoadStats } from '../core/load-stats';
import type { History } from '../history/history';
import type { Readiness } from '../http/dependencies';
import { httpServerOptions } from '../http/server-options';
import type { Limit } from '../observability/limit-metrics';
import type { LimitWatch } from '../observability/limit-watch';
import type { DnsDiscovery } from '../peers/dns-discovery';
import { MAX_CHASES } from '../repair/holes';
import { clockText, MAX_HEARD, type Repair } from '../repair/repair';
import { CONTEXT_LIMITS } from '../replication/limits';
import { MAX_WAITING_BYTES, type Inbox } from '../replication/inbox';
import type { ReplicatorCounts } from '../replication/replicator';
import { payloadProblem } from './event-bus';

const NO_DISCOVERY = { state: 'none', reason: 'META_DATA_CENTER_SVC_DISC_HOST is unset' };
const NO_HISTORY = { state: 'none', available: false, reason: 'switched off, or there is no NATS_URL' };

export interface ReplicaParts {
  readonly stats: LoadStats;
  readonly context: CausalContext;
  readonly bus: Bus;
  readonly history: History | undefined;
  readonly discovery: DnsDiscovery | undefined;
  readonly repair: Repair;
  readonly nowUs: () => number;
}

/** A clock that went back by more than this leaves the view with a wrong idea of what has expired, until it catches up. */
const CLOCK_TOLERANCE_US = 5_000_000;

/** Reasons that say how things are, in the words for how they were at the start. */
const BEGINNINGS: Readonly<Record<string, string>> = {
  'there is no peer': 'began alone',
  'no event yet anywhere': 'began before any event',
};

export class SelfReport {
  /** Set when the replica begins to stop. */
  stopping = false;
  /** Set while what the first caller will need is compiled. */
  warming = false;
  /** Set once everything that has a limit is built. */
  limitWatch: LimitWatch | undefined;

  constructor(private readonly parts: ReplicaParts) {}

  get ready(): boolean {
    return !this.warming && this.parts.repair.joining.ready && !this.stopping;
  }

  /** It serves, or soon will, but something is missing. */
  get degraded(): boolean {
    return !this.parts.repair.joining.caughtUp || this.trouble() !== undefined;
  }

  readiness(): Readiness {
    const { bus, discovery, repair } = this.parts;
    // First: it looks, and what follows goes by that.
    const limits = this.limitWatch?.reached() ?? {};
    const body = {
      ready: this.ready,
      degraded: this.degraded,
      reason: this.reason(),
      replica: repair.self.replica,
      deployment: repair.self.deployment,
      speaks: repair.self.speaks,
      fleet_speaks: repair.fleetSpeaks,
      bus: { connected: bus.connected, reason: bus.reason },
      discovery: discovery?.state ?? NO_DISCOVERY,
      peers: Object.fromEntries(Object.entries(repair.peers).map(([address, { state }]) => [address, state])),
      history: this.history(),
      missing_events: repair.missing,
      limits,
      ...(repair.clock.aheadUs !== undefined && {
        clock_ahead_ms: Math.round(repair.clock.aheadUs / 1000),
      }),
    };
    return { ready: body.ready, reason: body.reason, body };
  }

  history(): object {
    return this.parts.history?.toJSON() ?? NO_HISTORY;
  }

  limits(
    { load, http }: Config,
    refused: ReplicatorCounts['refused'],
    inboxes: readonly Inbox[],
    watchers: () => number,
    connections: () => number,
  ): Limit[] {
    const { stats, context, repair } = this.parts;
    const { inFlightCeiling, engineCeiling, ownerCeiling, finishedCeiling, waitingCeiling } = stats.options;
    const inFlight = (): number => stats.inFlight.size;
    const finished = (): number => Math.max(stats.deletes.size, stats.promptDeletes.size);
    const waiting = (): number => Math.max(stats.deletes.waiting, stats.promptDeletes.waiting);
    return [
      {
        name: 'in_flight',
        most: load.maxInFlight,
        use: inFlight,
        refused: () => refused['too-many-in-flight'],
      },
      { name: 'in_flight_ceiling', most: inFlightCeiling, use: inFlight },
      {
        name: 'engines',
        most: load.maxEngines,
        use: () => stats.engines.listedCount,
        refused: () => refused['too-many-engines'],
      },
      { name: 'engines_ceiling', most: engineCeiling, use: () => stats.engines.size },
      {
        name: 'owners',
        most: load.maxOwners,
        use: () => stats.owners.size,
        refused: () => refused['too-many-owners'],
      },
      { name: 'owners_ceiling', most: ownerCeiling, use: () => stats.owners.size },
      {
        name: 'finished',
        most: finishedCeiling,
        use: finished,
        refused: () => refused['too-many-finished'],
      },
      { name: 'deletes_waiting', most: waitingCeiling, use: waiting },
      {
        name: 'origins',
        most: CONTEXT_LIMITS.maxOrigins,
        use: () => context.originCount,
        refused: () => context.cutOff.untracked,
      },
      {
        name: 'intervals',
        most: CONTEXT_LIMITS.maxIntervalsInAll,
        use: () => context.excessIntervals,
        refused: () => context.cutOff.origins,
      },
      {
        name: 'chases',
        most: MAX_CHASES,
        use: () => repair.chase.chased,
        refused: () => repair.chase.deferred,
      },
      {
        name: 'inbox',
        most: MAX_WAITING_BYTES,
        use: () => Math.max(...inboxes.map(({ waitingBytes }) => waitingBytes)),
        refused: () => inboxes.reduce((lost, inbox) => lost + inbox.lost, 0),
      },
      {
        name: 'replicas_heard',
        most: MAX_HEARD,
        use: () => repair.others.replicas.length,
        refused: () => repair.counts.heartbeatsRefused,
      },
      { name: 'watchers', most: http.maxWatchers, use: watchers, refusesReaders: true },
      { name: 'connections', most: httpServerOptions.maxConnections, use: connections },
    ];
  }

  private clockBehindUs(): number {
    return this.parts.stats.latestUs - this.parts.nowUs();
  }

  /** What is wrong now, the first of it; whether it has caught up is not asked. */
  private trouble(): string | undefined {
    const { bus, discovery, history, repair } = this.parts;
    if (!bus.connected) return 'the bus is not connected';
    const behindUs = this.clockBehindUs();
    if (behindUs > CLOCK_TOLERANCE_US) {
      return `the clock went back by ${Math.round(behindUs / 1e6)} s: what others report may be refused until it has caught up, or the replica is restarted`;
    }
    if (this.limitWatch?.degrades === true) {
      return `limit reached: ${Object.keys(this.limitWatch.reached()).join(', ')}`;
    }
    const smallPayload = payloadProblem(bus);
    if (smallPayload !== undefined) return smallPayload;
    if (history?.degraded === true) return `history: ${history.problem}`;
    if (discovery?.failing !== undefined) return `the lookup of the peers fails: ${discovery.state.reason}`;
    const { off, aheadUs } = repair.clock;
    return off ? clockText(aheadUs!) : undefined;
  }

  private reason(): string {
    const { repair } = this.parts;
    if (this.stopping) return 'shutting down';
    if (this.warming) return 'warming up';
    const trouble = this.ready ? this.trouble() : undefined;
    if (trouble !== undefined) return trouble;
    const { ready, reason } = repair.joining;
    const peers = Object.values(repair.peers).filter(
      ({ state }) => state !== 'itself' && state !== 'other-deployment',
    );
    if (!ready || peers.length === 0) return reason;
    // How it caught up stays true; how the peers are is as of now.
    const readyPeers = peers.filter(({ state }) => state === 'ready').length;
    return `${BEGINNINGS[reason] ?? reason}; ${readyPeers} of ${peers.length} peers ready`;
  }
}
