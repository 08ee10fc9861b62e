/**
 * One process of a replica: the real view, context, replicator, heartbeats, anti-entropy and joining, wired as the
 * composition root wires them, on the simulated clock, bus and network. A crash loses it all.
 */
import type { Logger } from 'pino';
import { newFingerprinting } from '../../src/composition/fingerprinting';
import { CausalContext } from '../../src/core/causal-context';
import type { ContextOptions } from '../../src/core/causal-context';
import type { SeqSet } from '../../src/core/seq-set';
import { LoadStats } from '../../src/core/load-stats';
import type { LoadStatsOptions } from '../../src/core/load-stats';
import type { SnapshotSelection } from '../../src/core/snapshot';
import { snapshotLines } from '../../src/core/snapshot';
import { PeerExchange, TICK_MS } from '../../src/peers/peer-exchange';
import type { StatusJson } from '../../src/peers/status';
import { digestsJson } from '../../src/peers/status';
import { HEARTBEAT_INTERVAL_MS, HeartbeatExchange } from '../../src/replication/heartbeat-exchange';
import { CONTEXT_LIMITS, antiEntropyOptions } from '../../src/replication/limits';
import { Replicator } from '../../src/replication/replicator';
import { Republisher } from '../../src/replication/republisher';
import type { DigestWindow } from '../../src/replication/state-comparison';
import { digestsOf } from '../../src/replication/state-comparison';
import { heartbeatSubject, loadWildcard } from '../../src/wire/subjects';
import type { Chance } from './chance';
import type { EventQueue } from './event-queue';
import type { Fact, Knowledge } from './oracle';
import { rowKey } from './oracle';
import type { Scenario } from './scenario';
import { MS, NEVER_US } from './scenario';
import { SimulatedBus } from './simulated-bus';
import type { SimulatedBusServer } from './simulated-bus';
import { SimulatedPeers } from './simulated-peers';
import type { PeerNetwork, Reachable } from './simulated-peers';

/** The classes that a process is made of; tests put broken ones in their place. */
export interface Parts {
  readonly LoadStats: typeof LoadStats;
  readonly CausalContext: typeof CausalContext;
  readonly Replicator: typeof Replicator;
  readonly HeartbeatExchange: typeof HeartbeatExchange;
  readonly PeerExchange: typeof PeerExchange;
  readonly snapshotLines: typeof snapshotLines;
}

export const REAL_PARTS: Parts = {
  LoadStats,
  CausalContext,
  Replicator,
  HeartbeatExchange,
  PeerExchange,
  snapshotLines,
};

/** What a process lives in. */
export interface Surroundings {
  readonly queue: EventQueue;
  readonly chance: Chance;
  readonly bus: SimulatedBusServer;
  readonly network: PeerNetwork;
  readonly scenario: Scenario;
  readonly parts: Parts;
  trace(who: string, what: () => string): void;
  /** The process says that it has caught up. */
  caughtUp(process: SimulatedProcess): void;
  /** The process no longer looks for the event. */
  gaveUp(process: SimulatedProcess, fact: Fact): void;
  /** The process raises the alarm: the replica and itself hold different state. */
  diverged(process: SimulatedProcess, replica: string): void;
}

/** A machine: its address and clock outlive the processes on it. */
export interface Host {
  readonly number: number;
  readonly address: string;
  clockOffsetUs: number;
}

const PREFIX = 'metadata-center';
const READY_TIMEOUT_MS = 4_000;
const EXPIRY_SLICE = 4_000;
const EXPIRY_EVERY_US = 1_000 * MS;

export class SimulatedProcess implements Reachable {
  readonly knowledge: Knowledge = new Map();
  /** What its context was seen to claim, and since when. */
  readonly claims: Knowledge = new Map();
  readonly stats: LoadStats;
  readonly context: CausalContext;
  readonly replicator: Replicator;
  readonly exchange: PeerExchange;
  readonly startedUs: number;
  givenUp = 0;
  alive = true;
  streaming = 0;
  peersKnown = false;
  /** When it said that it was ready and had caught up. */
  caughtUpUs = Infinity;
  private readonly bus: SimulatedBus;
  private readonly heartbeats: HeartbeatExchange;
  private waiting: (() => void)[] = [];
  private pausedUntilUs = 0;
  private resumedUs = -Infinity;
  private named: ReadonlyMap<string, number> = new Map();

  constructor(
    readonly hostOf: Host,
    readonly origin: string,
    private readonly around: Surroundings,
  ) {
    const { parts, scenario, queue, chance, network } = around;
    const options = loadStatsOptions(scenario);
    const contextOptions = contextOptionsOf(scenario);
    const nowUs = (): number => this.nowUs();
    this.startedUs = queue.nowUs;
    this.stats = new parts.LoadStats(options);
    this.context = new parts.CausalContext(contextOptions);
    this.bus = new SimulatedBus(hostOf.number, around.bus, this);
    const limits = { maxInFlight: 10_000, maxEngines: 1_000 };
    this.replicator = new parts.Replicator({
      loadStats: this.stats,
      context: this.context,
      bus: this.bus,
      // Never told that the bus is back: anti-entropy alone must bring everything.
      republisher: new Republisher(this.bus),
      nowUs,
      observeLatency: () => undefined,
      options: { origin, subjectPrefix: PREFIX, ...limits },
    });
    this.heartbeats = new parts.HeartbeatExchange(this.replicator, this.context, this.bus, nowUs, PREFIX);
    this.exchange = new parts.PeerExchange({
      stats: this.stats,
      context: this.context,
      client: new SimulatedPeers(network, this, contextOptions),
      surroundings: () => ({
        busConnected: this.bus.connected,
        peersKnown: this.peersKnown,
        history: 'none',
      }),
      replayHistory: () => false,
      nowUs,
      random: chance.next,
      logger: this.logger(),
      antiEntropy: {
        ...antiEntropyOptions(origin, options),
        compareEveryUs: scenario.compareEveryUs,
        giveUpAfterUs: scenario.giveUpAfterUs,
      },
      contextOptions,
      healthIntervalMs: scenario.healthEveryUs / MS,
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
  }

  get host(): number {
    return this.hostOf.number;
  }

  get busConnected(): boolean {
    return this.bus.connected;
  }

  get ready(): boolean {
    return this.exchange.joining.current.ready;
  }

  get paused(): boolean {
    return this.pausedUntilUs > this.around.queue.nowUs;
  }

  /** Whether it has been running all the time since then. */
  ranSince(sinceUs: number): boolean {
    return this.alive && this.startedUs <= sinceUs && !this.paused && this.resumedUs < sinceUs;
  }

  nowUs(): number {
    return Math.floor(this.around.queue.nowUs + this.hostOf.clockOffsetUs);
  }

  /** The latest time that the view was told. */
  viewNowUs(): number {
    return this.stats.advance(this.nowUs());
  }

  start(): void {
    const { chance, scenario } = this.around;
    this.bus.start(
      {
        [loadWildcard(PREFIX)]: (payload) => this.replicator.receive(payload),
        [heartbeatSubject(PREFIX)]: (payload) => this.heartbeats.receive(payload),
      },
      ({ connected }) => {
        this.around.trace(this.origin, () => (connected ? 'bus connected' : 'bus lost'));
        if (connected) this.exchange.antiEntropy.busConnected();
      },
    );
    this.every(TICK_MS * MS, chance.between(0, TICK_MS * MS), () => this.tick());
    this.every(HEARTBEAT_INTERVAL_MS * MS, chance.between(0, HEARTBEAT_INTERVAL_MS * MS), () => {
      this.heartbeats.send();
    });
    this.every(EXPIRY_EVERY_US, chance.between(0, EXPIRY_EVERY_US), () => this.expire());
    if (scenario.healthEveryUs < NEVER_US) {
      this.every(scenario.healthEveryUs, scenario.healthEveryUs, () => this.exchange.askHealth());
    }
  }

  crash(): void {
    this.alive = false;
    this.waiting = [];
    void this.bus.stop();
  }

  pause(forUs: number): void {
    const { queue } = this.around;
    this.pausedUntilUs = Math.max(this.pausedUntilUs, queue.nowUs + forUs);
    queue.at(this.pausedUntilUs, () => this.resume());
  }

  resumeNow(): void {
    this.pausedUntilUs = 0;
    this.resume();
  }

  /** Runs now, when the process goes on, or never. */
  run(action: () => void): void {
    if (!this.alive) return;
    if (this.paused || this.waiting.length > 0) {
      this.waiting.push(action);
      return;
    }
    action();
    this.checkSigns();
  }

  learns(fact: Fact): void {
    if (!this.knowledge.has(fact)) this.knowledge.set(fact, this.around.queue.nowUs);
  }

  knows = (fact: Fact): boolean => this.knowledge.has(fact);

  /** Since when discovery has named an address without a break. */
  namedSince(address: string): number {
    return this.named.get(address) ?? Infinity;
  }

  setPeers(addresses: readonly string[]): void {
    this.peersKnown = true;
    const { nowUs } = this.around.queue;
    this.named = new Map(addresses.map((address) => [address, Math.min(nowUs, this.namedSince(address))]));
    this.exchange.setPeers(addresses);
  }

  expire(): void {
    while (!this.stats.expire(this.nowUs(), EXPIRY_SLICE));
  }

  status(window: DigestWindow | undefined): StatusJson {
    return {
      replica: this.origin,
      version: 'simulated',
      ready: this.ready,
      bus: { connected: this.bus.connected, reason: this.bus.reason },
      history: { state: 'none' },
      counts: {},
      context: this.context.toJSON(),
      ...(window && { digests: digestsJson(digestsOf(this.stats, window)) }),
    };
  }

  nudged(replica: string): void {
    this.exchange.antiEntropy.nudged(replica);
  }

  snapshot(selection: SnapshotSelection | undefined): Iterator<string> {
    return this.around.parts.snapshotLines(this.stats, this.context, this.origin, this.ready, selection);
  }

  /** Rows with something in flight, by `rowKey`. */
  rows(): Map<string, { queued: number; prompt: number }> {
    const rows = new Map<string, { queued: number; prompt: number }>();
    for (const { cluster, rows: engines } of this.stats.engines.clusters) {
      for (const { ip, queuedRequests: queued, promptLength: prompt } of engines) {
        if (queued !== 0 || prompt !== 0) rows.set(rowKey(cluster, ip), { queued, prompt });
      }
    }
    return rows;
  }

  private tick(): void {
    this.exchange.tick();
    const { current } = this.exchange.joining;
    if (this.caughtUpUs === Infinity && current.ready && current.caughtUp) {
      this.caughtUpUs = this.around.queue.nowUs;
      this.around.caughtUp(this);
    }
  }

  /** As a timer of a process does: late ones of a pause fire once. */
  private every(intervalUs: number, firstUs: number, action: () => void): void {
    const { queue } = this.around;
    const fire = (): void => {
      if (!this.alive) return;
      if (this.paused) {
        this.waiting.push(fire);
        return;
      }
      this.run(action);
      queue.after(intervalUs, fire);
    };
    queue.after(firstUs, fire);
  }

  private resume(): void {
    if (this.paused || !this.alive) return;
    this.resumedUs = this.around.queue.nowUs;
    const { waiting } = this;
    this.waiting = [];
    for (const action of waiting) this.run(action);
  }

  private checkSigns(): void {
    for (const { cluster, engines } of this.stats.engines.clusters) {
      for (const { ip, queuedRequests, promptLength } of engines.values()) {
        if (queuedRequests < 0 || promptLength < 0) throw new Error(`negative row ${cluster} ${ip}`);
      }
    }
  }

  /** What the exchange logs goes into the trace; what it gives up is kept. */
  private logger(): Logger {
    const write =
      (level: string) =>
      (fields: Record<string, unknown>, message: string): void =>
        this.around.trace(this.origin, () => `${level}: ${message} ${JSON.stringify(fields)}`);
    const warn = (fields: { origin: string; seqs?: SeqSet }, message: string): void => {
      write('warn')(fields, message);
      if (!fields.seqs) return;
      const bounds = fields.seqs.toJSON();
      for (let i = 0; i < bounds.length; i += 2) {
        for (let seq = bounds[i]!; seq <= bounds[i + 1]!; seq++) {
          const fact = this.around.network.oracle.factOf(fields.origin, seq);
          if (!fact) throw new Error(`a hole that never was an event: ${fields.origin}/${seq}`);
          this.givenUp++;
          this.around.gaveUp(this, fact);
        }
      }
    };
    const error = (fields: { peer_replica: string; err?: Error }, message: string): void => {
      // A fault of the code, or a violation that was found on the way.
      if (fields.err) throw fields.err;
      write('error')({ ...fields }, message);
      this.around.diverged(this, fields.peer_replica);
    };
    const logger = { debug: write('debug'), info: write('info'), error, warn };
    return logger as unknown as Logger;
  }
}

export function contextOptionsOf({ expireAfterUs, retentionUs }: Scenario): ContextOptions {
  return { ...CONTEXT_LIMITS, forgetAfterUs: 2 * (expireAfterUs + retentionUs) };
}

function loadStatsOptions({ expireAfterUs, retentionUs }: Scenario): LoadStatsOptions {
  return {
    expireAfterUs,
    finishedRetentionUs: retentionUs,
    inFlightCeiling: 20_000,
    engineCeiling: 2_000,
    waitingCeiling: 20_000,
    finishedCeiling: 80_000,
    fingerprinting: newFingerprinting(),
  };
}
