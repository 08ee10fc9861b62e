/**
 * The bus as core NATS behaves when things go wrong: at most once, in order per publisher, silent about every loss.
 * What is sent over a link that is down, or that only seems up, is gone; so are the first messages after a reconnect.
 */
import type { Bus, OnBusStatus, OnMessage, Subscriptions } from '../../src/bus/bus';
import { subjectMatches } from '../../src/bus/subject-match';
import type { Chance } from './chance';
import type { EventQueue } from './event-queue';
import type { Fact, Oracle } from './oracle';
import { MS } from './scenario';
import { SimulatedStream } from './simulated-history';
import type { SimulatedProcess } from './simulated-process';

interface Message {
  readonly fact: Fact | undefined;
  readonly subject: string;
  readonly payload: Uint8Array;
}

const RECONNECT_WITHIN_US = 400 * MS;

/** The server and the links to it, one a host. */
export class SimulatedBusServer {
  lossRate = 0;
  readonly stream: SimulatedStream;
  private readonly members = new Set<SimulatedBus>();
  /** Hosts whose link swallows everything, and why. */
  private readonly cut = new Map<number, number>();
  /** Groups of hosts between which nothing passes although everyone is connected. */
  private groups: ReadonlyMap<number, number> = new Map();
  private readonly lastArrivals = new Map<SimulatedBus, Map<SimulatedBus, number>>();

  constructor(
    private readonly queue: EventQueue,
    private readonly chance: Chance,
    private readonly oracle: Oracle,
    private readonly options: {
      readonly latencyUs: number;
      readonly duplicates: number;
      readonly lostAfterReconnect: number;
      readonly expireAfterUs: number;
      readonly retentionUs: number;
    },
  ) {
    this.stream = new SimulatedStream(queue, options.expireAfterUs + options.retentionUs);
  }

  partition(groups: ReadonlyMap<number, number>): void {
    this.groups = groups;
  }

  /** Cuts a host's link; its client notices after a while, unless the link is back before. */
  cutLink(host: number, noticeAfterUs: number): void {
    this.cut.set(host, (this.cut.get(host) ?? 0) + 1);
    for (const member of this.members) {
      if (member.host !== host) continue;
      member.epoch++;
      const { epoch } = member;
      this.queue.after(noticeAfterUs, () => {
        if (this.isCut(host) && member.epoch === epoch) member.disconnected();
      });
    }
  }

  restoreLink(host: number): void {
    const cuts = (this.cut.get(host) ?? 0) - 1;
    if (cuts > 0) this.cut.set(host, cuts);
    else this.cut.delete(host);
    if (cuts > 0) return;
    for (const member of this.members) if (member.host === host) this.connectSoon(member);
  }

  restoreAll(): void {
    this.stream.failing = false;
    this.lossRate = 0;
    this.groups = new Map();
    for (const host of [...this.cut.keys()]) {
      this.cut.set(host, 1);
      this.restoreLink(host);
    }
  }

  isCut(host: number): boolean {
    return this.cut.has(host);
  }

  join(member: SimulatedBus): void {
    this.members.add(member);
    this.connectSoon(member);
  }

  leave(member: SimulatedBus): void {
    this.members.delete(member);
  }

  record(subject: string, payload: Uint8Array): Fact | undefined {
    return subject.includes('.load.') ? this.oracle.accept(payload) : undefined;
  }

  send(from: SimulatedBus, message: Message): void {
    if (this.isCut(from.host)) return;
    if (message.fact && !from.isStranger) this.stream.keep(message.payload, message.fact);
    for (const to of this.members) {
      if (to === from || !to.connected || this.isCut(to.host) || !this.passes(from.host, to.host)) continue;
      if (this.lossRate > 0 && this.chance.is(this.lossRate)) continue;
      const { latencyUs } = this.options;
      const arrivals = this.arrivalsOf(from);
      const arrival = Math.max(
        this.queue.nowUs + latencyUs * 0.2 + this.chance.wait(latencyUs),
        arrivals.get(to) ?? 0,
      );
      arrivals.set(to, arrival);
      this.deliverAt(arrival, to, message);
      if (this.chance.is(this.options.duplicates)) {
        this.deliverAt(arrival + this.chance.wait(latencyUs * 10), to, message);
      }
    }
  }

  private deliverAt(timeUs: number, to: SimulatedBus, message: Message): void {
    const { epoch } = to;
    this.queue.at(timeUs, () => {
      if (to.epoch === epoch && !this.isCut(to.host)) to.receive(message);
    });
  }

  private connectSoon(member: SimulatedBus): void {
    this.queue.after(this.chance.between(10 * MS, RECONNECT_WITHIN_US), () => {
      if (!this.isCut(member.host) && this.members.has(member)) {
        member.reconnected(this.chance.below(this.options.lostAfterReconnect + 1));
      }
    });
  }

  private passes(from: number, to: number): boolean {
    return (this.groups.get(from) ?? 0) === (this.groups.get(to) ?? 0);
  }

  private arrivalsOf(from: SimulatedBus): Map<SimulatedBus, number> {
    let arrivals = this.lastArrivals.get(from);
    if (!arrivals) {
      arrivals = new Map();
      this.lastArrivals.set(from, arrivals);
    }
    return arrivals;
  }
}

/** One process's client. */
export class SimulatedBus implements Bus {
  connected = false;
  /** Counts connections: what was under way on an earlier one is lost. */
  epoch = 0;
  private lostNext = 0;
  private subscriptions: readonly (readonly [string, OnMessage])[] = [];
  private onStatus: OnBusStatus | undefined;

  constructor(
    readonly host: number,
    private readonly server: SimulatedBusServer,
    private readonly process: SimulatedProcess,
  ) {}

  /** Of another deployment, whose stream would be another one. */
  get isStranger(): boolean {
    return this.process.hostOf.deployment !== undefined;
  }

  get alone(): boolean {
    return false;
  }

  get reason(): string {
    return this.connected ? 'connected' : 'not connected';
  }

  start(subscriptions: Subscriptions, onStatus: OnBusStatus): void {
    this.subscriptions = Object.entries(subscriptions);
    this.onStatus = onStatus;
    this.server.join(this);
  }

  publish(subject: string, payload: Uint8Array): boolean {
    const fact = this.server.record(subject, payload);
    if (fact) this.process.learns(fact);
    if (!this.connected) return false;
    if (this.lostNext > 0) {
      this.lostNext--;
      return true;
    }
    this.server.send(this, { fact, subject, payload });
    return true;
  }

  whenWritten(callback: () => void): void {
    callback();
  }

  receive({ fact, subject, payload }: Message): void {
    this.process.run(() => {
      for (const [pattern, onMessage] of this.subscriptions) {
        if (!subjectMatches(pattern, subject)) continue;
        onMessage(payload);
        if (fact) this.process.learns(fact);
      }
    });
  }

  disconnected(): void {
    if (!this.connected) return;
    this.connected = false;
    this.process.run(() => this.onStatus?.({ connected: false, reason: this.reason }));
  }

  reconnected(lostNext: number): void {
    if (this.connected) return;
    this.connected = true;
    this.epoch++;
    this.lostNext = lostNext;
    this.process.run(() => this.onStatus?.({ connected: true, reason: this.reason }));
  }

  stop(): Promise<void> {
    this.server.leave(this);
    return Promise.resolve();
  }
}
