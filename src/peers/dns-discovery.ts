/**
 * The addresses behind the service's name, asked again and again.
 *
 * A failing lookup keeps the last answer for a bounded time; it is reported when it begins and when it ends.
 */
import type { Lookup } from '../dns/system-lookup';

export interface DiscoveryOptions {
  readonly host: string;
  readonly intervalMs: number;
  /** Addresses of this replica itself. */
  readonly own: readonly string[];
}

export interface DiscoveryEvents {
  /** The addresses of the other replicas, after each change and after the first answer. */
  onPeers(addresses: readonly string[]): void;
  /** Lookups began to fail (with the reason) or work again (undefined). */
  onFailing(reason: string | undefined): void;
}

/** How long the last answer outlives failing lookups. */
const KEEP_FOR_MS = 60_000;
/** While nothing is known yet, the next lookup comes sooner. */
const FIRST_RETRY_MS = 500;
/** Replicas beyond this many are not asked: a name that answers more is not the right name. */
const MAX_ADDRESSES = 128;

/** As `/readyz` shows it. `starting`: the first lookup has not ended. */
export interface DiscoveryState {
  readonly state: 'starting' | 'working' | 'failing';
  readonly reason: string;
}

export class DnsDiscovery {
  /** All addresses of the last answer, this replica's own included. */
  hosts: readonly string[] = [];
  answered = false;
  failures = 0;
  /** Why lookups fail now. */
  failing: string | undefined;
  private answeredAtMs = -Infinity;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly options: DiscoveryOptions,
    private readonly events: DiscoveryEvents,
    /** Answers or rejects within a bounded time. */
    private readonly lookUp: Lookup,
    private readonly monotonicMs: () => number,
  ) {}

  start(): void {
    void this.ask();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  get state(): DiscoveryState {
    const { host } = this.options;
    if (this.failing !== undefined) return { state: 'failing', reason: `${host}: ${this.failing}` };
    if (!this.answered) return { state: 'starting', reason: `${host} is being looked up` };
    return { state: 'working', reason: `${host}: ${this.hosts.length} addresses` };
  }

  private async ask(): Promise<void> {
    let failure: string | undefined;
    let addresses: readonly string[] = [];
    try {
      addresses = await this.lookUp(this.options.host);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    if (this.stopped) return;
    if (failure === undefined) this.take(addresses);
    else this.fail(failure);
    const { intervalMs } = this.options;
    this.timer = setTimeout(
      () => void this.ask(),
      this.answered ? intervalMs : Math.min(intervalMs, FIRST_RETRY_MS),
    );
  }

  private take(addresses: readonly string[]): void {
    if (this.failing !== undefined) this.events.onFailing(undefined);
    this.failing = undefined;
    this.answeredAtMs = this.monotonicMs();
    const first = !this.answered;
    this.answered = true;
    this.change([...new Set(addresses)].sort().slice(0, MAX_ADDRESSES), first);
  }

  private fail(reason: string): void {
    this.failures++;
    if (this.failing === undefined) this.events.onFailing(reason);
    this.failing = reason;
    if (this.monotonicMs() - this.answeredAtMs > KEEP_FOR_MS) this.change([], false);
  }

  private change(hosts: readonly string[], always: boolean): void {
    if (!always && hosts.join() === this.hosts.join()) return;
    this.hosts = hosts;
    this.events.onPeers(hosts.filter((host) => !this.options.own.includes(host)));
  }
}
