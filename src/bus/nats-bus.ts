/**
 * The bus over NATS: keeps one connection alive for ever, with subscriptions that the server knows, and says when it
 * is not. What happens within one connection is in nats-session.ts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Bus, OnBusStatus, OnBusTrouble, OnMessage, Subscriptions } from './bus';
import type { GatherWindow } from './gather-window';
import { describeError, isTimeout, probe } from './nats-connection';
import { announcedServer, nameOf, type NatsServer } from './nats-servers';
import { NatsSession, type NatsSessionOptions } from './nats-session';

export interface NatsBusOptions extends NatsSessionOptions {
  readonly servers: readonly NatsServer[];
  /**
   * Between two rounds over the servers: at first half of this, then doubling up to `retryMaxMs`; up to as much as
   * this is added by chance.
   */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  readonly stopTimeoutMs: number;
}

/** A link that died in silence is noticed after 8 to 12 s; a replica tries again at least every 1.25 s. */
export const NATS_BUS_DEFAULTS = {
  timeoutMs: 3_000,
  pingIntervalMs: 4_000,
  maxPingOut: 2,
  retryMinMs: 250,
  retryMaxMs: 1_000,
  deniedRetryMs: 15_000,
  windowBytes: 8 * 1024 * 1024,
  stopTimeoutMs: 2_000,
} as const;

/** The longest that what is published waits for more, in a process that is busy. */
export const GATHER_MAX_MS = 4;

/** Servers announced by the cluster that are kept in mind. */
const MAX_ANNOUNCED = 64;

export class NatsBus implements Bus {
  private readonly configured: readonly NatsServer[];
  private announced: readonly NatsServer[] = [];
  private onStatus: OnBusStatus | undefined;
  private session: NatsSession | undefined;
  private at: NatsServer | undefined;
  private up: boolean | undefined;
  private why = 'not started';
  /** Servers whose last attempt timed out. */
  private readonly silent = new Set<string>();
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;

  constructor(
    private readonly options: NatsBusOptions,
    private readonly gather: GatherWindow,
    private readonly random: () => number,
    private readonly onTrouble: OnBusTrouble,
  ) {
    this.configured = shuffled(options.servers, random);
  }

  get connected(): boolean {
    return this.up === true;
  }

  get reason(): string {
    return this.why;
  }

  get alone(): boolean {
    return false;
  }

  /** The one that it is connected to now. */
  get server(): NatsServer | undefined {
    return this.connected ? this.at : undefined;
  }

  start(subscriptions: Subscriptions, onStatus: OnBusStatus): void {
    if (this.onStatus !== undefined) throw new Error('the bus was started before');
    this.onStatus = onStatus;
    this.why = 'connecting';
    this.loop = this.keepConnected(subscriptions);
  }

  publish(subject: string, payload: Uint8Array): boolean {
    return this.connected && this.session !== undefined && this.session.publish(subject, payload);
  }

  whenWritten(callback: () => void): void {
    if (this.session === undefined) callback();
    else this.session.whenWritten(callback);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.up = false;
    this.why = 'stopped';
    const { stopTimeoutMs } = this.options;
    await within(stopTimeoutMs, this.session?.drain());
    await within(stopTimeoutMs, Promise.all([this.session?.close(), this.loop]));
  }

  private async keepConnected(subscriptions: Subscriptions): Promise<void> {
    let failedRounds = 0;
    const failures = new Map<string, string>();
    for (let turn = 0; !this.stopping.signal.aborted; turn++) {
      const servers = [...this.configured, ...this.announced];
      const server = servers[turn % servers.length]!;
      const failure = await this.serveFrom(server, subscriptions);
      if (failure === undefined) {
        failures.clear();
        failedRounds = 0;
      } else failures.set(nameOf(server), failure);
      if (failure !== undefined && failures.size < servers.length) continue;
      if (failures.size > 0) this.reportFailures(failures);
      failures.clear();
      await this.pause(failedRounds++);
    }
  }

  /** Answers when the connection is lost, or with the reason why there was none. */
  private async serveFrom(server: NatsServer, subscriptions: Subscriptions): Promise<string | undefined> {
    const name = nameOf(server);
    const session = new NatsSession(server, subscriptions, this.gather, this.options, {
      deliver: (onMessage, payload) => this.deliver(onMessage, payload),
      onConnected: () => this.setStatus(true, `connected to ${name}`),
      onDenied: (what) => {
        this.onTrouble('permission', what);
        this.setStatus(false, `${name}: ${what}`);
      },
      onServerError: (code) => this.onTrouble(/slow/i.test(code) ? 'slow-consumer' : 'server-error', code),
      onServers: (announced) => this.remember(announced, server),
    });
    try {
      if (this.silent.has(name)) await probe(server, this.options.timeoutMs);
      this.silent.delete(name);
      await session.open();
    } catch (error) {
      if (isTimeout(error)) this.silent.add(name);
      return describeError(error);
    }
    this.session = session;
    this.at = server;
    if (this.stopping.signal.aborted) await session.close();
    const reason = await session.ended;
    this.session = undefined;
    this.setStatus(false, `${name}: ${reason}`);
    return undefined;
  }

  private deliver(onMessage: OnMessage, payload: Uint8Array): void {
    if (this.stopping.signal.aborted) return;
    try {
      onMessage(payload);
    } catch (error) {
      // Out of here it would end the client's read loop.
      this.onTrouble('handler', String(error));
    }
  }

  private setStatus(connected: boolean, reason: string): void {
    if (this.stopping.signal.aborted || this.up === connected) return;
    this.up = connected;
    this.why = reason;
    this.onStatus?.({ connected, reason });
  }

  private reportFailures(failures: ReadonlyMap<string, string>): void {
    const reason = Array.from(failures, ([name, failure]) => `${name}: ${failure}`).join('; ');
    if (reason === this.why || this.stopping.signal.aborted) return;
    this.setStatus(false, reason);
    this.why = reason;
    this.onTrouble('connect', reason);
  }

  private remember(announced: readonly string[], by: NatsServer): void {
    const known = new Set(this.configured.map(nameOf));
    this.announced = announced
      .slice(0, MAX_ANNOUNCED)
      .flatMap((hostPort) => announcedServer(hostPort, by) ?? [])
      .filter((server) => !known.has(nameOf(server)));
  }

  /** Long enough to spare the server; by chance, so that the replicas do not come all at once. */
  private async pause(failedRounds: number): Promise<void> {
    const { retryMinMs, retryMaxMs } = this.options;
    const waitMs = Math.min(retryMinMs * 2 ** (failedRounds - 1), retryMaxMs);
    const jitterMs = this.random() * retryMinMs;
    await delay(waitMs + jitterMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }
}

function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  return items
    .map((item) => ({ item, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

/** Waits for `work`, no longer than `timeoutMs`; how it ends does not matter. */
async function within(timeoutMs: number, work: Promise<unknown> | undefined): Promise<void> {
  const timeout = new AbortController();
  await Promise.race([
    Promise.resolve(work).catch(() => undefined),
    delay(timeoutMs, undefined, { signal: timeout.signal }).catch(() => undefined),
  ]);
  timeout.abort();
}
