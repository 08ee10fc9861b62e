/**
 * The addresses behind the service's name, asked again and again.
 *
 * A failing lookup keeps the last answer for a bounded time; it is logged when it begins and when it ends.
 */
import type { Logger } from 'pino';
import { ipv4Only, SystemLookup, type Lookup } from '../dns/system-lookup';

export interface DiscoveryOptions {
  readonly host: string;
  readonly intervalMs: number;
  /** Addresses of this replica itself. */
  readonly own: readonly string[];
}

/** How long the last answer outlives failing lookups. */
const KEEP_FOR_MS = 60_000;
/** While nothing is known yet, the next lookup comes sooner. */
const FIRST_RETRY_MS = 500;
/** Replicas beyond this many are not asked: a name that answers more is not the right name. */
const MAX_ADDRESSES = 128;

/** Answers, or rejects with words for the operator, within a bounded time. */
export function peerLookup(): Lookup {
  const names = new SystemLookup({ withinMs: 5_000, most: 1 }, ipv4Only);
  return (host) => names.addresses(host);
}

export class DnsDiscovery {
  /** All addresses of the last answer, this replica's own included; undefined before the first. */
  hosts: readonly string[] | undefined;
  failures = 0;
  /** Why lookups fail now. */
  failing: string | undefined;
  private answeredAtMs = 0;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly options: DiscoveryOptions,
    /** Takes the addresses of the other replicas, after each change and after the first answer. */
    private readonly onPeers: (addresses: readonly string[]) => void,
    private readonly logger: Logger,
    private readonly lookUp = peerLookup(),
  ) {}

  start(): void {
    void this.ask();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** As `/readyz` shows it. `starting`: the first lookup has not ended. */
  get state(): { readonly state: 'starting' | 'working' | 'failing'; readonly reason: string } {
    const { host } = this.options;
    if (this.failing !== undefined) return { state: 'failing', reason: `${host}: ${this.failing}` };
    if (!this.hosts) return { state: 'starting', reason: `${host} is being looked up` };
    return { state: 'working', reason: `${host}: ${this.hosts.length} addresses` };
  }

  private async ask(): Promise<void> {
    const { host, intervalMs } = this.options;
    const found = await this.lookUp(host).catch((error: unknown) => (error as Error).message);
    if (this.stopped) return;
    if (typeof found === 'string') this.failed(found);
    else this.answered(found);
    this.timer = setTimeout(
      () => void this.ask(),
      this.hosts ? intervalMs : Math.min(intervalMs, FIRST_RETRY_MS),
    );
  }

  private answered(addresses: readonly string[]): void {
    const { host } = this.options;
    if (this.failing !== undefined) this.logger.info({ host }, 'peer lookups work again');
    this.failing = undefined;
    this.answeredAtMs = performance.now();
    this.change([...new Set(addresses)].sort().slice(0, MAX_ADDRESSES));
  }

  private failed(reason: string): void {
    const { host } = this.options;
    this.failures++;
    if (this.failing === undefined) this.logger.warn({ host, reason }, 'peer lookups fail');
    this.failing = reason;
    if (this.hosts && performance.now() - this.answeredAtMs > KEEP_FOR_MS) this.change([]);
  }

  private change(hosts: readonly string[]): void {
    if (hosts.join() === this.hosts?.join()) return;
    this.hosts = hosts;
    const peers = hosts.filter((host) => !this.options.own.includes(host));
    this.logger.info({ peers }, 'peers changed');
    this.onPeers(peers);
  }
}
