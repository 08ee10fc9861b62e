/**
 * One seed: trouble, then healing, then quiet, with the oracle watching throughout. Throws what is wrong.
 */
import { ownerOriginOf } from '../../src/core/event';
import { Chance } from './chance';
import { Cluster } from './cluster';
import { EventQueue } from './event-queue';
import { Faults } from './faults';
import { Gateways } from './gateways';
import type { Fact } from './oracle';
import { levelOf, Oracle } from './oracle';
import type { Scenario } from './scenario';
import { MS, NEVER_US, SECOND, drawScenario } from './scenario';
import type { Parts, SimulatedProcess } from './simulated-process';
import { REAL_PARTS } from './simulated-process';

export class Violation extends Error {}

export interface Figures {
  readonly virtualUs: number;
  readonly steps: number;
  readonly facts: number;
  readonly pulls: number;
  readonly fullPulls: number;
  readonly compares: number;
  /** Of what peers answered: status and snapshots. */
  readonly bytes: number;
  /** From the end of all trouble until every replica equals the oracle for good. */
  readonly convergingUs: number;
  readonly givenUp: number;
}

export interface SimulationOptions {
  readonly parts?: Partial<Parts>;
  /** Changes what the seed has drawn. */
  readonly scenario?: Partial<Scenario>;
  /** Gets every step as a readable line. */
  readonly trace?: (line: string) => void;
}

const START_US = 1_700_000_000 * SECOND;
/** What a starting replica may need to hear of its peers. */
const DISCOVERED_WITHIN_US = 100 * MS;
const LOOK_EVERY_US = 500 * MS;
/** Within so long of the end of all trouble every replica equals the oracle. */
const CONVERGED_AFTER_US = 8 * SECOND;
/** What is reported to one replica is at all others within so long, when nothing is lost. */
const SPREAD_US = 1 * SECOND;

export class Simulation {
  readonly scenario: Scenario;
  private readonly oracle: Oracle;
  private readonly cluster: Cluster;
  private readonly chance: Chance;
  private converged = false;
  private convergingUs = 0;
  private readonly queue = new EventQueue(START_US);
  private readonly gateways: Gateways;

  constructor(
    readonly seed: number,
    options: SimulationOptions = {},
  ) {
    this.chance = new Chance(seed);
    this.scenario = { ...drawScenario(this.chance), ...options.scenario };
    this.oracle = new Oracle(this.scenario.expireAfterUs, this.scenario.retentionUs);
    const trace = (who: string, what: () => string): void => {
      if (options.trace) options.trace(`${this.elapsed()} ${who} ${what()}`);
    };
    options.trace?.(`seed ${seed}: ${JSON.stringify(this.scenario)}`);
    const parts = { ...REAL_PARTS, ...options.parts };
    this.cluster = new Cluster(
      this.queue,
      this.scenario,
      this.oracle,
      this.chance,
      parts,
      trace,
      (process) => this.expectCaughtUp(process),
      (process, fact) => this.expectLost(process, fact),
      (process, replica) => this.expectDifferent(process, replica),
      (process) => this.expectNotReady(process),
    );
    this.gateways = new Gateways(this.cluster, (process) => this.look(process));
  }

  run(): Figures {
    try {
      return this.go();
    } catch (error) {
      if (error instanceof Violation) throw error;
      return this.fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }

  private go(): Figures {
    const { cluster, scenario } = this;
    const { gateways } = this;
    const faults = new Faults(cluster);
    faults.plan();
    gateways.plan(scenario.troubleUs);
    this.pass(scenario.troubleUs);
    faults.heal();
    if (scenario.clockOff) this.passUntilTimely();
    this.converge();
    this.quiet(gateways);
    return this.figures();
  }

  /**
   * What was stamped ahead by more than R is refused until its time has come. Then whoever still looks for it in the history
   * finds it, so trouble has ended only when nobody looks any more.
   */
  private passUntilTimely(): void {
    const newestUs = Math.max(...this.oracle.facts.map(({ timeUs }) => timeUs));
    const timelyUs = Math.max(this.queue.nowUs, newestUs - this.scenario.retentionUs);
    this.pass(timelyUs + this.scenario.giveUpAfterUs - this.queue.nowUs);
  }

  private converge(): void {
    const { queue } = this.cluster;
    const startUs = queue.nowUs;
    while (queue.nowUs < startUs + CONVERGED_AFTER_US) {
      this.pass(LOOK_EVERY_US);
      if (this.sumOf(({ repair }) => repair.missing) > 0 || !this.hasConverged())
        this.convergingUs = queue.nowUs - startUs;
    }
    this.converged = true;
    this.expectConverged();
  }

  private hasConverged(): boolean {
    try {
      this.expectConverged();
      return true;
    } catch (error) {
      if (error instanceof Violation) return false;
      throw error;
    }
  }

  /** Nothing is lost any more: what is left ends, nothing comes back, nothing is pulled. */
  private quiet(gateways: Gateways): void {
    const { cluster, scenario, oracle } = this;
    const pulls = this.sumOf((process) => process.repair.counts.pulls);
    if (scenario.finishAll) {
      const slowestUs = Math.min(...cluster.live.map((process) => process.viewNowUs()));
      for (const id of oracle.liveIds(this.inUnion(), slowestUs)) gateways.finish(id);
      this.converged = false;
      this.pass(SPREAD_US);
      this.converged = true;
      this.expectConverged();
      this.expectEmpty();
    }
    const { expireAfterUs, retentionUs, skewUs } = scenario;
    const lifeUs = scenario.untilForgotten ? 2 * (expireAfterUs + retentionUs) : expireAfterUs;
    this.pass(lifeUs + 2 * skewUs + 2 * SECOND);
    this.expectEmpty();
    const pulled = this.sumOf((process) => process.repair.counts.pulls) - pulls;
    if (this.isCalm && scenario.compareEveryUs === NEVER_US) {
      const compares = this.sumOf((process) =>
        process.startedUs === START_US ? process.repair.counts.compares : 0,
      );
      if (compares > cluster.hosts.length * cluster.hosts.length)
        this.fail('compares though nothing was lost');
    }
    if (pulled > 0) this.fail(`${pulled} pulls while nothing was missing`);
    if (scenario.giveUpAfterUs < NEVER_US) {
      this.pass(scenario.giveUpAfterUs);
      this.expectNothingMissing();
    }
    if (scenario.untilForgotten) this.expectForgotten();
  }

  /** Lets time go by, looking now and then. */
  private pass(forUs: number): void {
    const { queue } = this.cluster;
    const endUs = queue.nowUs + forUs;
    while (queue.nowUs < endUs) {
      queue.runUntil(Math.min(endUs, queue.nowUs + LOOK_EVERY_US));
      for (const process of this.cluster.live) this.look(process);
      if (this.converged) this.expectConverged();
    }
  }

  /** What holds at every moment: rows are a recount of what was told, and no more is claimed than that shows. */
  private look(process: SimulatedProcess): void {
    if (process.paused) return;
    process.expire();
    const nowUs = process.viewNowUs();
    this.expectRows(process, this.oracle.recount(process.knows, nowUs, process.standing), 'what it was told');
    this.expectLivingOwners(process);
    const fastestUs = this.fastestUs(process);
    for (const fact of this.oracle.facts) {
      if (!process.context.has(fact.origin, fact.seq)) continue;
      if (!process.claims.has(fact)) process.claims.set(fact, this.queue.nowUs);
      if (!this.oracle.isShown(fact, process.knows, fastestUs)) {
        this.fail(
          `${process.origin} (${process.self.speaks}) claims ${describe(fact)}, but does not show it`,
        );
      }
    }
  }

  /** I13: where nothing is lost, no gateway that renews is ever taken for dead. */
  private expectLivingOwners(process: SimulatedProcess): void {
    if (!this.isCalm || this.scenario.skewUs > 0 || !process.ready) return;
    for (const owner of this.gateways.living) {
      if (process.suspended.has(owner)) this.fail(`${process.origin} takes ${owner} for dead, which renews`);
    }
  }

  private get isCalm(): boolean {
    const { faults, lostAfterReconnect, clockOff } = this.scenario;
    return lostAfterReconnect === 0 && !clockOff && Object.values(faults).every((rate) => rate === 0);
  }

  /** A peer with a faster clock may claim what it has forgotten already. */
  private fastestUs(process: SimulatedProcess): number {
    return process.viewNowUs() + 2 * this.scenario.skewUs;
  }

  /** I1, I2, I4: every replica shows what any live replica knows. */
  private expectConverged(): void {
    const inUnion = this.inUnion();
    const { live } = this.cluster;
    for (const process of live) {
      this.expectListed(process, inUnion);
      this.expectRows(
        process,
        this.oracle.recount(inUnion, process.viewNowUs(), process.standing),
        'the union',
      );
      if (!process.ready) this.fail(`${process.origin} is not ready`);
      for (const other of live) this.expectSameContexts(process, other);
    }
  }

  /** What a ready peer knew when a process started, that process knows when it is ready itself. */
  private expectCaughtUp(process: SimulatedProcess): void {
    // A peer whose snapshots break off is not waited for when another one has shown its state.
    if (this.scenario.snapshotFailures > 0 || this.scenario.clockOff || !this.scenario.discovery) return;
    const { startedUs } = process;
    for (const peer of this.cluster.live) {
      if (peer === process || peer.caughtUpUs > startedUs || !this.couldAsk(process, peer, startedUs))
        continue;
      for (const [fact, learntUs] of peer.knowledge) {
        if (levelOf(fact) > process.self.speaks) continue;
        if (learntUs > startedUs || this.oracle.isShown(fact, process.knows, this.fastestUs(process)))
          continue;
        this.fail(`${process.origin} is ready without ${describe(fact)}, which ${peer.origin} knew`);
      }
    }
  }

  /** I4: what is given up, no peer that could be asked had. */
  private expectLost(process: SimulatedProcess, fact: Fact): void {
    if (this.scenario.snapshotFailures > 0 || this.scenario.clockOff) return;
    const sinceUs = this.queue.nowUs - this.scenario.giveUpAfterUs;
    for (const peer of this.cluster.live) {
      if ((peer.claims.get(fact) ?? Infinity) > sinceUs) continue;
      if (!process.ranSince(sinceUs) || !this.couldAsk(process, peer, sinceUs)) continue;
      this.fail(`${process.origin} gave up ${describe(fact)}, which ${peer.origin} has`);
    }
  }

  /**
   * No false alarm. (A true one there may be: what a transfer that broke off, or one that ran while reports came in, has
   * shown of a replica that died since, nobody else knows of.)
   */
  private expectDifferent(process: SimulatedProcess, replica: string): void {
    const peer = this.cluster.all.find(({ origin }) => origin === replica)!;
    const [ours, theirs] = [process, peer].map(({ knows }) => (fact: Fact): boolean => {
      return this.oracle.isShown(fact, knows, this.fastestUs(process));
    });
    const differ = this.oracle.facts.some((fact) => ours!(fact) !== theirs!(fact));
    if (!differ || this.converged) this.fail(`${process.origin} raises a false alarm about ${replica}`);
  }

  /** Whether nothing has stood between the two since then, and both ran: who is suspended finds that its requests timed out. */
  private couldAsk(process: SimulatedProcess, peer: SimulatedProcess, sinceUs: number): boolean {
    return (
      process.ranSince(sinceUs) &&
      peer.ranSince(sinceUs) &&
      process.namedSince(peer.hostOf.address) <= sinceUs + DISCOVERED_WITHIN_US &&
      this.cluster.network.isOpenSince(process.host, peer.host, sinceUs)
    );
  }

  private expectSameContexts(process: SimulatedProcess, other: SimulatedProcess): void {
    const { expireAfterUs, retentionUs } = this.scenario;
    const sinceUs = Math.max(process.viewNowUs(), other.viewNowUs()) - expireAfterUs - retentionUs;
    for (const fact of this.oracle.facts) {
      if (fact.timeUs <= sinceUs || !other.context.has(fact.origin, fact.seq)) continue;
      if (process.context.has(fact.origin, fact.seq)) continue;
      if (levelOf(fact) > process.self.speaks) continue;
      if (this.queue.nowUs - (other.knowledge.get(fact) ?? 0) < SPREAD_US) continue;
      this.fail(`${process.origin} has not seen ${describe(fact)}, but ${other.origin} has`);
    }
  }

  /** Rows of zeros are rows too: an engine stays listed until it has been idle for E. */
  private expectListed(process: SimulatedProcess, knows: (fact: Fact) => boolean): void {
    const nowUs = process.viewNowUs();
    const { skewUs } = this.scenario;
    const { sure } = this.oracle.listed(knows, nowUs + 2 * skewUs + SECOND);
    const { possible } = this.oracle.listed(knows, nowUs - 2 * skewUs - SECOND);
    const listed = process.listedRows();
    for (const row of sure) if (!listed.has(row)) this.fail(`${process.origin} does not list ${row}`);
    for (const row of listed) if (!possible.has(row)) this.fail(`${process.origin} lists ${row} too long`);
  }

  private expectNotReady(process: SimulatedProcess): void {
    if (process.alive && process.ready && process.busConnected)
      this.fail(`${process.origin} is ready, though its clock is off`);
  }

  /** What nobody has is given up at last. */
  private expectNothingMissing(): void {
    for (const process of this.cluster.live) {
      if (process.repair.missing > 0) this.fail(`${process.origin} still looks for what is lost`);
    }
  }

  private expectEmpty(): void {
    for (const process of this.cluster.live) this.expectRows(process, new Map(), 'nothing in flight');
  }

  private expectForgotten(): void {
    const origins = new Set(this.cluster.live.flatMap(({ origin }) => [origin, ownerOriginOf(origin)]));
    for (const process of this.cluster.live) {
      for (const [origin] of process.context.announcements()) {
        if (!origins.has(origin)) this.fail(`${process.origin} still remembers the dead ${origin}`);
      }
    }
  }

  private expectRows(process: SimulatedProcess, expected: Map<string, object>, of: string): void {
    const rows = process.rows();
    const same =
      rows.size === expected.size &&
      [...expected].every(([key, row]) => JSON.stringify(rows.get(key)) === JSON.stringify(row));
    if (same) return;
    const [found, counted] = [rows, expected].map((map) => JSON.stringify([...map].sort()));
    this.fail(`the rows of ${process.origin} are ${found}, but ${of} makes ${counted}`);
  }

  /** Whether a live replica knows the fact, and has not yet forgotten it. */
  private inUnion(): (fact: Fact) => boolean {
    const { live } = this.cluster;
    return (fact) =>
      live.some((process) => process.knows(fact) && !this.oracle.isForgotten(fact, process.viewNowUs()));
  }

  private figures(): Figures {
    const { queue } = this;
    return {
      virtualUs: queue.nowUs - START_US,
      steps: queue.count,
      facts: this.oracle.facts.length,
      pulls: this.sumOf((process) => process.repair.counts.pulls),
      fullPulls: this.sumOf((process) => process.repair.counts.fullPulls),
      compares: this.sumOf((process) => process.repair.counts.compares),
      bytes: this.cluster.network.bytes,
      convergingUs: this.convergingUs,
      givenUp: this.sumOf(({ givenUp }) => givenUp),
    };
  }

  private sumOf(count: (process: SimulatedProcess) => number): number {
    return this.cluster.all.reduce((sum, process) => sum + count(process), 0);
  }

  private elapsed(): string {
    return `${((this.queue.nowUs - START_US) / SECOND).toFixed(4).padStart(9)}s`;
  }

  private fail(what: string): never {
    throw new Violation(`seed ${this.seed} at ${this.elapsed().trim()}: ${what}`);
  }
}

function describe({ type, requestId, owner, origin, seq, timeUs }: Fact): string {
  return `the ${type} of ${requestId || (owner ?? '')} (${origin}/${seq} at ${timeUs})`;
}
