/** The addresses behind the names that the client was given, looked up again every few seconds while there are calls. */
import { isIPv4 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { MetadataCenterError } from './errors';
import type { ReplicaChoice } from './replica-choice';
import type { Surroundings } from './surroundings';

const LOOKUP_INTERVAL_MS = 5_000;
/** After a lookup that failed. */
const RETRY_INTERVAL_MS = 500;
const DEFAULT_PORT = '8080';

interface Target {
  readonly protocol: 'http:' | 'https:';
  readonly host: string;
  readonly port: string;
}

/** `host`, `host:port` or a URL of either protocol. Throws what is wrong with it. */
export function parseReplica(text: string): Target {
  const url = new URL(/^https?:\/\//.test(text) ? text : `http://${text}`);
  const protocol = url.protocol === 'https:' ? 'https:' : 'http:';
  if (url.pathname !== '/' || url.search !== '' || url.username !== '' || url.hash !== '') {
    throw new TypeError(`replicas: ${text} must be a host with a port`);
  }
  const given = /:(\d+)\/?$/.exec(text)?.[1];
  return { protocol, host: url.hostname, port: given ?? (protocol === 'https:' ? '443' : DEFAULT_PORT) };
}

export class Addresses {
  private readonly targets: readonly Target[];
  private lookedUpMs = -Infinity;
  private failed = false;
  private running: Promise<void> | undefined;

  constructor(
    replicas: string | readonly string[],
    private readonly choice: ReplicaChoice,
    private readonly surroundings: Surroundings,
  ) {
    this.targets = [replicas].flat().map(parseReplica);
    if (this.targets.length === 0) throw new TypeError('replicas: at least one');
  }

  /** Resolves when there are addresses to go to; what is known is good enough while newer ones are looked up. */
  async ready(timeoutMs: number): Promise<void> {
    const intervalMs = this.failed ? RETRY_INTERVAL_MS : LOOKUP_INTERVAL_MS;
    if (this.surroundings.monotonicMs() - this.lookedUpMs >= intervalMs) {
      this.running ??= this.look().finally(() => (this.running = undefined));
    }
    if (this.choice.addresses.length > 0) return;
    const over = new AbortController();
    const patience = delay(timeoutMs, undefined, { signal: over.signal }).catch(() => undefined);
    await Promise.race([this.running, patience]);
    over.abort();
    if (this.choice.addresses.length > 0) return;
    const names = this.targets.map(({ host }) => host).join(', ');
    throw new MetadataCenterError(0, 0, `there is no address of ${names}`, undefined);
  }

  private async look(): Promise<void> {
    const found = await Promise.allSettled(this.targets.map((target) => this.urlsOf(target)));
    this.lookedUpMs = this.surroundings.monotonicMs();
    this.failed = found.some(({ status }) => status === 'rejected');
    const urls = found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
    // A name that can't be looked up now keeps what is known of it.
    if (!this.failed && urls.length > 0) this.choice.replace(urls);
    else if (urls.length > 0) this.choice.replace([...this.choice.addresses, ...urls]);
  }

  private async urlsOf({ protocol, host, port }: Target): Promise<string[]> {
    // A certificate is made out to the name, so that is what is dialled.
    if (protocol === 'https:' || isIPv4(host)) return [`${protocol}//${host}:${port}`];
    return (await this.surroundings.lookup(host)).map((address) => `http://${address}:${port}`);
  }
}
