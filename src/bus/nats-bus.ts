/**
 * The bus over NATS: keeps one connection alive for ever, with subscriptions that the server knows, and says when it
 * is not. What happens within one connection is in nats-session.ts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Bus, OnBusStatus, OnBusTrouble, OnMessage, Subscriptions } from './bus';
import type { GatherPause } from './gather-pause';
import { describeError, isTimeout, NO_ANSWER, probe } from './nats-connection';
import { announcedServer, nameOf, type NatsServer } from './nats-servers';
import { NatsSession, type NatsSessionOptions } from './nats-session';

export interface NatsBusOptions extends NatsSessionOptions {
  readonly servers: readonly NatsServer[];
  readonly ignoreDiscovered: boolean;
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
/** One that takes longer to say hello is not waited for: the configured servers are tried again. */
const ANNOUNCED_MS = 1_000;

export class NatsBus implements Bus {
  private readonly configured: readonly NatsServer[];
  private announced: readonly NatsServer[] = [];
  private onStatus: OnBusStatus | undefined;
  private session: NatsSession | undefined;
  private at: NatsServer | undefined;
  private up: boolean | undefined;
  private why = 'not started';
  /** Counts the attempts at configured servers: the one after the last comes next. */
  private turn = 0;
  /** Servers whose last attempt timed out. */
  private readonly silent = new Set<string>();
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;

  constructor(
    private readonly options: NatsBusOptions,
    private readonly gather: GatherPause,
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

  get maxPayload(): number | undefined {
    return this.session?.maxPayload;
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
    const undrained = await failureWithin(stopTimeoutMs, this.session?.drain());
    if (undrained !== undefined) {
      const name = this.at === undefined ? '' : `${nameOf(this.at)}: `;
      this.onTrouble(
        'unconfirmed',
        `${name}stopped, and what was sent last may not have arrived: ${undrained}`,
      );
    }
    // Nothing more is lost, however this ends.
    await failureWithin(stopTimeoutMs, Promise.all([this.session?.close(), this.loop]));
  }

  private async keepConnected(subscriptions: Subscriptions): Promise<void> {
    for (let failedRounds = 0; !this.stopping.signal.aborted; failedRounds++) {
      if (await this.round(subscriptions)) failedRounds = 0;
      await this.pause(failedRounds);
    }
  }

  /** Tries each server once; answers true when there was a connection, and it is lost. */
  private async round(subscriptions: Subscriptions): Promise<boolean> {
    const failures = new Map<string, string>();
    const unlessItServes = async (server: NatsServer): Promise<boolean> => {
      const failure = await this.serveFrom(server, subscriptions);
      if (failure !== undefined) failures.set(nameOf(server), failure);
      return failure === undefined;
    };
    const slow: NatsServer[] = [];
    for (let i = 0; i < this.configured.length; i++) {
      const server = this.configured[this.turn++ % this.configured.length]!;
      if (this.silent.has(nameOf(server))) slow.push(server);
      else if (await unlessItServes(server)) return true;
      if (this.stopping.signal.aborted) return false;
    }
    // All at once: many that can't be reached must not keep the ones above from being tried again.
    const greeted = await this.firstToGreet(slow, failures);
    if (greeted !== undefined && (await unlessItServes(greeted))) return true;
    this.reportFailures(failures);
    return false;
  }

  private async firstToGreet(
    slow: readonly NatsServer[],
    failures: Map<string, string>,
  ): Promise<NatsServer | undefined> {
    const { lookUp, timeoutMs } = this.options;
    const greets = async (server: NatsServer, withinMs: number): Promise<NatsServer> => {
      try {
        await probe(server, lookUp, withinMs);
        return server;
      } catch (error) {
        failures.set(nameOf(server), describeError(error));
        throw error;
      }
    };
    const { announced } = this;
    const greeted = await Promise.any([
      ...slow.map((server) => greets(server, timeoutMs)),
      ...announced.map((server) => greets(server, Math.min(timeoutMs, ANNOUNCED_MS))),
    ]).catch(() => undefined);
    if (announced.length > 0 && greeted === undefined) {
      for (const server of announced) failures.delete(nameOf(server));
      failures.set('announced servers', `none of ${announced.length} answers`);
    }
    return greeted;
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
      onLost: (trouble, why, messages) => {
        if (!this.stopping.signal.aborted) this.onTrouble(trouble, `${name}: ${why}`, messages);
      },
    });
    this.silent.delete(name);
    try {
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
    if (this.options.ignoreDiscovered) return;
    const servers = announced.flatMap((hostPort) => announcedServer(hostPort, by) ?? []);
    const byName = new Map(servers.map((server) => [nameOf(server), server]));
    for (const server of this.configured) byName.delete(nameOf(server));
    this.announced = [...byName.values()].slice(0, MAX_ANNOUNCED);
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

/** Waits for `work`, no longer than `timeoutMs`; answers why it failed, or that it has not ended. */
async function failureWithin(
  timeoutMs: number,
  work: Promise<unknown> | undefined,
): Promise<string | undefined> {
  const timeout = new AbortController();
  const late = delay(timeoutMs, NO_ANSWER, { signal: timeout.signal });
  try {
    return await Promise.race([Promise.resolve(work).then(() => undefined, describeError), late]);
  } finally {
    late.catch(() => undefined);
    timeout.abort();
  }
}
