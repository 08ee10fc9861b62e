/**
 * One process of a replica: the real view, context, replicator, heartbeats, anti-entropy and joining, wired as the
 * composition root wires them, on the simulated clock, bus and network. A crash loses it all.
 */
import type { Logger } from 'pino';
import { newFingerprinting } from '../../src/composition/fingerprinting';
import { CausalContext } from '../../src/core/causal-context';
import type { ContextOptions } from '../../src/core/causal-context';
import type { SeqSet } from '../../src/core/seq-set';
import { OWNER_LEVEL } from '../../src/core/event';
import { LoadStats } from '../../src/core/load-stats';
import type { LoadStatsOptions } from '../../src/core/load-stats';
import type { LeaseTime } from '../../src/core/owners';
import { snapshotLines } from '../../src/core/snapshot';
import { SnapshotMerge } from '../../src/core/snapshot-merge';
import { Answering } from '../../src/repair/answering';
import { SparseLines } from '../../src/observability/sparse-lines';
import { repairOptions } from '../../src/repair/repair-options';
import type { Identity, Query } from '../../src/repair/protocol';
import { levelFor, readSelection } from '../../src/repair/protocol';
import { Repair } from '../../src/repair/repair';
import { RepairRunner, TICK_MS } from '../../src/repair/runner';
import { SPEAKS } from '../../src/repair/protocol';
import { LeaseClock } from '../../src/replication/lease-clock';
import { LOOK_EVERY_MS } from '../../src/replication/owner-watch';
import { CONTEXT_LIMITS } from '../../src/replication/limits';
import { Replicator } from '../../src/replication/replicator';
import { REPUBLISH_TICK_MS, Republisher } from '../../src/replication/republisher';
import { heartbeatSubject, loadWildcard } from '../../src/wire/subjects';
import type { Chance } from './chance';
import {
  DIALECT,
  DialectMerge,
  DialectReplicator,
  ELDER,
  ElderReplicator,
  Notes,
  dialectLines,
} from './dialect';
import type { EventQueue } from './event-queue';
import type { Fact, Knowledge, Standing } from './oracle';
import { levelOf, rowKey } from './oracle';
import type { Scenario } from './scenario';
import { MS } from './scenario';
import { SimulatedBus } from './simulated-bus';
import type { SimulatedBusServer } from './simulated-bus';
import { SimulatedHistory } from './simulated-history';
import { SimulatedPeers } from './simulated-peers';
import type { PeerNetwork, Reachable } from './simulated-peers';

/** The classes that a process is made of; tests put broken ones in their place. */
export interface Parts {
  readonly LoadStats: typeof LoadStats;
  readonly CausalContext: typeof CausalContext;
  readonly Replicator: typeof Replicator;
  readonly Repair: typeof Repair;
  readonly Republisher: typeof Republisher;
  readonly LeaseClock: typeof LeaseClock;
  readonly snapshotLines: typeof snapshotLines;
}

export const REAL_PARTS: Parts = {
  LoadStats,
  CausalContext,
  Replicator,
  Repair,
  Republisher,
  LeaseClock,
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
  /** Of another deployment, where it is given. */
  readonly deployment?: string;
}

const PREFIX = 'metadata-center';
const READY_TIMEOUT_US = 4_000 * MS;
const EXPIRY_SLICE = 4_000;
const EXPIRY_EVERY_US = 1_000 * MS;

export class SimulatedProcess implements Reachable {
  readonly knowledge: Knowledge = new Map();
  /** What its context was seen to claim, and since when. */
  readonly claims: Knowledge = new Map();
  readonly stats: LoadStats;
  readonly context: CausalContext;
  readonly replicator: Replicator;
  readonly repair: Repair;
  readonly runner: RepairRunner;
  readonly self: Identity;
  readonly startedUs: number;
  givenUp = 0;
  alive = true;
  streaming = 0;
  peersKnown = false;
  /** When it said that it was ready and had caught up. */
  caughtUpUs = Infinity;
  private readonly bus: SimulatedBus;
  private readonly answering: Answering;
  private readonly history: SimulatedHistory | undefined;
  private readonly notes = new Notes();
  private readonly republisher: Republisher;
  private readonly leaseClock: LeaseClock;
  private leaseTime: LeaseTime = { nowUs: -Infinity, heardSinceUs: -Infinity };
  private hears = false;
  private readonly owned = new Set<Fact>();
  private readonly signs = new Map<string, number>();
  readonly suspended = new Set<string>();
  /** Owners whose lease it knew and that were not silent when it last heard of renewals. */
  private countedWhenHeard: ReadonlySet<string> = new Set();
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
    const nowUs = (): number => this.nowUs();
    this.startedUs = queue.nowUs;
    this.leaseClock = new parts.LeaseClock();
    this.stats = new parts.LoadStats(options);
    this.bus = new SimulatedBus(hostOf.number, around.bus, this);
    const speaks = scenario.dialects ? chance.of([ELDER, SPEAKS, DIALECT])! : SPEAKS;
    const self = { replica: origin, deployment: hostOf.deployment ?? PREFIX, speaks };
    this.self = self;
    const contextOptions = { ...contextOptionsOf(scenario), speaks };
    this.context = new parts.CausalContext(contextOptions);
    const limits = { maxInFlight: 10_000, maxEngines: 1_000, maxOwners: 500 };
    this.republisher = new parts.Republisher(this.bus);
    const Events =
      speaks === DIALECT ? DialectReplicator : speaks === ELDER ? ElderReplicator : parts.Replicator;
    this.replicator = new Events({
      loadStats: this.stats,
      context: this.context,
      bus: this.bus,
      republisher: this.republisher,
      nowUs,
      observeLatency: () => undefined,
      options: { origin, subjectPrefix: self.deployment, ...limits },
    });
    this.repair = new parts.Repair(self, this.stats, this.context, chance.next, {
      ...repairOptions(options),
      compareEveryUs: scenario.compareEveryUs,
      healthEveryUs: scenario.healthEveryUs,
      giveUpAfterUs: scenario.giveUpAfterUs,
      readyTimeoutUs: READY_TIMEOUT_US,
    });
    const merging = [this.stats, contextOptions, self] as const;
    this.runner = new RepairRunner({
      repair: this.repair,
      bus: this.bus,
      client: new SimulatedPeers(network, this, self, contextOptions),
      surroundings: () => ({
        busConnected: this.bus.connected,
        peersKnown: this.peersKnown,
        history: this.history?.state ?? 'none',
      }),
      onReady: () => this.lookAtOwners(),
      onTooLarge: () => undefined,
      replayHistory: (sinceUs) => this.history?.replay(sinceUs) ?? false,
      nowUs,
      monotonicUs: () => queue.nowUs,
      logger: this.logger(),
      lines: new SparseLines(() => queue.nowUs / 1000),
      newMerge: () =>
        speaks === DIALECT ? new DialectMerge(this.notes, ...merging) : new SnapshotMerge(...merging),
    });
    if (this.replicator instanceof DialectReplicator) this.replicator.notes = this.notes;
    if (scenario.history && !hostOf.deployment) {
      const receive = (payload: Uint8Array, fact: Fact): void => {
        this.replicator.receive(payload, 'replay');
        this.learns(fact);
      };
      const connected = (): boolean => this.bus.connected;
      this.history = new SimulatedHistory(
        queue,
        around.bus.stream,
        connected,
        (action) => this.run(action),
        receive,
      );
    }
    this.answering = new Answering({
      self,
      version: 'simulated',
      stats: this.stats,
      context: this.context,
      bus: this.bus,
      history: () => ({ state: 'none' }),
      ready: () => this.ready,
      missing: () => this.repair.missing,
      cache: undefined,
      nowUs,
    });
  }

  get host(): number {
    return this.hostOf.number;
  }

  get busConnected(): boolean {
    return this.bus.connected;
  }

  get ready(): boolean {
    return this.repair.joining.ready;
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
    const { chance } = this.around;
    this.bus.start(
      {
        [loadWildcard(this.self.deployment)]: (payload) => this.replicator.receive(payload),
        [heartbeatSubject(this.self.deployment)]: (payload) => void this.runner.hear(payload),
      },
      ({ connected }) => {
        this.around.trace(this.origin, () => (connected ? 'bus connected' : 'bus lost'));
        if (connected) this.republisher.busConnected();
      },
    );
    this.every(TICK_MS * MS, chance.between(0, TICK_MS * MS), () => this.tick());
    this.every(REPUBLISH_TICK_MS * MS, chance.between(0, REPUBLISH_TICK_MS * MS), () => {
      this.republisher.tick(this.around.queue.nowUs / MS);
    });
    this.every(LOOK_EVERY_MS * MS, chance.between(0, LOOK_EVERY_MS * MS), () => this.lookAtOwners());
    this.every(EXPIRY_EVERY_US, chance.between(0, EXPIRY_EVERY_US), () => this.expire());
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

  learns(fact: Fact, withOwner = true): void {
    if (levelOf(fact) > this.self.speaks) return;
    if ((fact.origin === 'stranger') !== (this.origin === 'stranger')) {
      throw new Error(`${this.origin} takes in what ${fact.origin} of another deployment has`);
    }
    // What is ahead by more than R is refused.
    if (fact.timeUs > this.viewNowUs() + this.around.scenario.retentionUs) return;
    if (!this.knowledge.has(fact)) this.knowledge.set(fact, this.around.queue.nowUs);
    if (fact.owner === undefined || this.self.speaks < OWNER_LEVEL) return;
    // What has expired is refused before anybody looks whose it is.
    if (fact.type !== 'add') this.judge(fact.owner);
    else if (withOwner && !this.around.network.oracle.isForgotten(fact, this.viewNowUs())) {
      this.owned.add(fact);
      this.learnsSign(fact.owner, fact.timeUs);
    }
  }

  learnsSign(owner: string, newestAddUs: number): void {
    this.signs.set(owner, Math.max(newestAddUs, this.signs.get(owner) ?? 0));
    this.judge(owner);
  }

  /** What it must make of owners, by what it was told and its time of leases. */
  readonly standing: Standing = {
    isOwned: (add) => this.owned.has(add),
    isSuspended: (owner) => this.suspended.has(owner),
  };

  private judge(owner: string): void {
    const lease = this.around.network.oracle.leaseOf(owner, this.knows);
    if (!lease) return;
    const was = this.suspended.has(owner);
    let signUs = Math.max(lease.timeUs, this.signs.get(owner) ?? 0);
    if (!was) signUs = Math.max(signUs, this.leaseTime.heardSinceUs);
    if (this.leaseTime.nowUs >= signUs + lease.ttlUs) this.suspended.add(owner);
    else this.suspended.delete(owner);
  }

  /** As the watch of owners does it, all at once. */
  lookAtOwners(): void {
    if (this.self.speaks < OWNER_LEVEL) return;
    const now = this.viewNowUs();
    this.hears = this.bus.connected && this.repair.hears;
    this.leaseTime = this.leaseClock.at(now, this.ready, this.hears);
    this.stats.lookAtOwners(this.leaseTime, now);
    while (!this.stats.settle(EXPIRY_SLICE, now));
    const names = this.around.network.oracle.owners;
    for (const owner of names) this.judge(owner);
    if (this.hears) {
      const { oracle } = this.around.network;
      const counts = (owner: string): boolean =>
        oracle.leaseOf(owner, this.knows) !== undefined && !this.suspended.has(owner);
      this.countedWhenHeard = new Set([...names].filter(counts));
    }
    for (const owner of this.suspended) {
      if (!this.hears && this.countedWhenHeard.has(owner))
        throw new Error(`${this.origin} suspends ${owner} though it is cut off`);
    }
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
    this.runner.setPeers(addresses);
  }

  expire(): void {
    this.lookAtOwners();
    while (!this.stats.expire(this.nowUs(), EXPIRY_SLICE));
  }

  status(query: Query): ReturnType<Answering['status']> {
    return this.answering.status(query);
  }

  snapshot(query: Query): Iterable<string> {
    const speaks = levelFor(query, this.self);
    const source = { ...this.self, ready: this.ready, speaks };
    const selection = readSelection(query);
    if (this.self.speaks === DIALECT) {
      return dialectLines(this.notes, this.stats, this.context, source, selection);
    }
    return this.around.parts.snapshotLines(this.stats, this.context, source, selection);
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

  /** Rows that are listed, those of zeros too. */
  listedRows(): Set<string> {
    const rows = new Set<string>();
    for (const model of this.stats.engines.clusters) {
      for (const { ip } of model.rows) rows.add(rowKey(model.cluster, ip));
    }
    return rows;
  }

  private tick(): void {
    this.history?.tick();
    this.runner.tick();
    const current = this.repair.joining;
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
    const debug = (fields: { origin: string; seqs?: SeqSet }, message: string): void => {
      write('debug')(fields, message);
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
    const error = (fields: { peer_replica?: string; err?: Error }, message: string): void => {
      // A fault of the code, or a violation that was found on the way.
      if (fields.err) throw fields.err;
      write('error')({ ...fields }, message);
      if (fields.peer_replica !== undefined) this.around.diverged(this, fields.peer_replica);
    };
    const logger = { debug, info: write('info'), error, warn: write('warn') };
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
    ownerCeiling: 1_000,
    finishedCeiling: 80_000,
    fingerprinting: newFingerprinting(),
  };
}
