/**
 * Names to addresses, by the system resolver, so that hosts files and search domains count too. The only file that
 * resolves DNS.
 *
 * A lookup of the system can take a minute, holds one of Node's few threads meanwhile, and can't be cancelled. So one is under
 * way for each name at most, and so many at a time; whoever asks waits for a bounded time.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

export type Lookup = (host: string) => Promise<readonly string[]>;

export interface SystemLookupOptions {
  /** A lookup that takes longer counts as failed; the next one waits for the same answer. */
  readonly withinMs: number;
  /** Different names that are looked up at the same time. */
  readonly most: number;
}

/** An answer that came too late is not news for longer. */
const KEPT_MS = 15_000;

export class LookupFault extends Error {}

const all: Lookup = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

/** IPv4 alone: peers are named so. */
export const ipv4Only: Lookup = async (host) =>
  (await lookup(host, { all: true, family: 4 })).map(({ address }) => address);

export class SystemLookup {
  /** Under way, or answered when nobody waited any more: the next one who asks takes that. */
  private readonly answers = new Map<string, Promise<readonly string[]>>();
  private underWay = 0;

  constructor(
    private readonly options: SystemLookupOptions,
    private readonly resolve: Lookup = all,
  ) {}

  /** Rejects with a LookupFault whose message is fit for logs. */
  async addresses(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host];
    const answer = this.answers.get(host) ?? this.ask(host);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), this.options.withinMs);
    });
    let addresses: readonly string[] | undefined;
    try {
      addresses = await Promise.race([answer, late]);
    } catch (error) {
      this.forget(host, answer);
      throw new LookupFault(error instanceof Error && 'code' in error ? String(error.code) : 'lookup failed');
    } finally {
      clearTimeout(timer);
    }
    if (addresses === undefined) throw new LookupFault(`the lookup of ${host} hangs`);
    this.forget(host, answer);
    return addresses;
  }

  private ask(host: string): Promise<readonly string[]> {
    if (this.underWay >= this.options.most) throw new LookupFault('too many lookups hang');
    this.underWay++;
    const answer = this.resolve(host).finally(() => {
      this.underWay--;
      setTimeout(() => this.forget(host, answer), KEPT_MS).unref();
    });
    // Whoever asked may have stopped waiting, and been told so.
    answer.catch(() => undefined);
    this.answers.set(host, answer);
    return answer;
  }

  private forget(host: string, answer: Promise<unknown>): void {
    if (this.answers.get(host) === answer) this.answers.delete(host);
  }
}
