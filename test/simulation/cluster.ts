/**
 * The hosts of one simulation, the processes on them, and what the name service says of them.
 */
import type { Chance } from './chance';
import type { EventQueue } from './event-queue';
import type { Oracle } from './oracle';
import type { Scenario } from './scenario';
import { MS, SECOND } from './scenario';
import { SimulatedBusServer } from './simulated-bus';
import { PeerNetwork } from './simulated-peers';
import type { Host, Parts, Surroundings } from './simulated-process';
import { SimulatedProcess } from './simulated-process';

const DNS_EVERY_US = 3 * SECOND;
const DNS_FIRST_RETRY_US = 500 * MS;
const MOST_HOSTS = 7;
const CLOCK_NOTICED_WITHIN_US = 5 * SECOND;

export class Cluster implements Surroundings {
  readonly bus: SimulatedBusServer;
  readonly network: PeerNetwork;
  readonly hosts: Host[] = [];
  /** The latest process of each host, dead or alive. */
  readonly processes: SimulatedProcess[] = [];
  /** Every process that there ever was. */
  readonly all: SimulatedProcess[] = [];
  /** Replicas of another deployment whose addresses are in the name. */
  readonly strangers: SimulatedProcess[] = [];
  dnsFails = false;
  private offHost: Host | undefined;

  constructor(
    readonly queue: EventQueue,
    readonly scenario: Scenario,
    readonly oracle: Oracle,
    readonly chance: Chance,
    readonly parts: Parts,
    readonly trace: Surroundings['trace'],
    readonly caughtUp: Surroundings['caughtUp'],
    readonly gaveUp: Surroundings['gaveUp'],
    readonly diverged: Surroundings['diverged'],
    /** Its clock has been off for so long that it must know it. */
    readonly clockIsOff: (process: SimulatedProcess) => void,
  ) {
    this.bus = new SimulatedBusServer(this.queue, chance, oracle, scenario);
    this.network = new PeerNetwork(this.queue, chance, oracle, scenario, (address) =>
      [...this.processes, ...this.strangers].find(({ hostOf }) => hostOf.address === address),
    );
    for (let i = 0; i < scenario.replicas; i++) this.join();
    if (scenario.stranger) this.letInStranger();
  }

  get live(): SimulatedProcess[] {
    return this.processes.filter(({ alive }) => alive);
  }

  join(): void {
    const number = this.hosts.length;
    if (number >= MOST_HOSTS) return;
    const host = { number, address: `10.1.0.${number + 1}`, clockOffsetUs: 0 };
    this.hosts.push(host);
    this.stepClock(number);
    this.start(host);
  }

  crash(host: number): void {
    const process = this.processes[host]!;
    if (!process.alive) return;
    this.trace(process.origin, () => 'crashes');
    process.crash();
  }

  restart(host: number): void {
    if (!this.processes[host]!.alive) this.start(this.hosts[host]!);
  }

  stepClock(host: number): void {
    const { skewUs } = this.scenario;
    this.hosts[host]!.clockOffsetUs = this.chance.between(-skewUs, skewUs);
    this.trace(`host ${host}`, () => `has a clock that is ${this.hosts[host]!.clockOffsetUs / MS} ms ahead`);
  }

  /** One clock is further away than R, from the start of its process or from now on. */
  setClockOff(): void {
    const { chance, scenario } = this;
    const host = chance.of(this.hosts)!;
    const byUs = chance.between(2, 8) * scenario.retentionUs * (chance.is(0.5) ? 1 : -1);
    if (chance.is(0.5)) this.crash(host.number);
    host.clockOffsetUs = byUs;
    this.trace(`host ${host.number}`, () => `has a clock that is off by ${Math.round(byUs / MS)} ms`);
    this.restart(host.number);
    this.offHost = host;
    this.queue.after(CLOCK_NOTICED_WITHIN_US, () => {
      if (this.offHost === host) this.clockIsOff(this.processes[host.number]!);
    });
  }

  /** Somebody has set it, and started the process anew. */
  setClocksRight(): void {
    const host = this.offHost;
    this.offHost = undefined;
    if (!host) return;
    this.crash(host.number);
    host.clockOffsetUs = 0;
    this.restart(host.number);
  }

  private letInStranger(): void {
    const host = { number: 99, address: '10.1.0.99', clockOffsetUs: 0, deployment: 'staging' };
    const process = new SimulatedProcess(host, 'stranger', this);
    this.strangers.push(process);
    process.start();
    process.run(() => process.setPeers(this.hosts.map(({ address }) => address)));
    const row = { cluster: 'llama', ip: '10.0.0.1', promptLength: 1, timestampNs: undefined };
    this.queue.after(SECOND / 2, () => process.replicator.add({ ...row, requestId: 'of-staging' }));
  }

  private start(host: Host): void {
    const name = `${String.fromCharCode(97 + this.chance.below(26))}${host.number}.${this.all.length}`;
    const process = new SimulatedProcess(host, name, this);
    this.processes[host.number] = process;
    this.all.push(process);
    this.trace(name, () => 'starts');
    process.start();
    this.askDns(process);
  }

  private askDns(process: SimulatedProcess): void {
    if (!process.alive) return;
    if (!this.scenario.discovery) {
      process.peersKnown = true;
      return;
    }
    if (!this.dnsFails) {
      const { dnsNamesOwn } = this.scenario;
      const named = this.processes.filter(({ alive }) => alive || this.chance.is(0.5));
      const others = named.filter((other) => dnsNamesOwn || other !== process);
      process.run(() => process.setPeers([...others, ...this.strangers].map(({ hostOf }) => hostOf.address)));
    }
    const next = process.peersKnown ? DNS_EVERY_US : DNS_FIRST_RETRY_US;
    this.queue.after(next, () => this.askDns(process));
  }
}
