/**
 * The index as a stream of lines, for a replica that has just become ready. Half of it is harmless: it is merged as events are.
 *
 *   {"cache":1}
 *   ["clear", cluster or null, ip, timeUs]
 *   ["holder", number, cluster, ip]                 before the first entry that names it
 *   ["entry", number of the holder, timeUs, hash]   16 hexadecimal digits
 *   ["end"]
 */
import { CANONICAL_IPV4, isName } from '../core/event';
import type { CacheIndex } from './cache-index';
import { fromHex, hexOf } from './hash-texts';

const CACHE_VERSION = 1;
const MAX_LINE_LENGTH = 4_096;

export function* cacheLines(index: CacheIndex, nowUs: () => number): Generator<string> {
  yield JSON.stringify({ cache: CACHE_VERSION });
  const named = new Set<object>();
  for (const item of index.clearsAndEntries(nowUs)) {
    if ('clearedUs' in item) {
      yield JSON.stringify(['clear', item.cluster ?? null, item.ip, item.clearedUs]);
      continue;
    }
    const { holder, hi, lo, timeUs } = item;
    if (!named.has(holder)) {
      named.add(holder);
      yield JSON.stringify(['holder', holder.number, holder.cluster, holder.ip]);
    }
    yield `["entry",${holder.number},${timeUs},"${hexOf(hi, lo)}"]`;
  }
  yield '["end"]';
}

/** Reads those lines into an index. Throws at what another version or a broken peer would send. */
export class CacheMerge {
  complete = false;
  private begun = false;
  private readonly holders = new Map<number, { readonly cluster: string; readonly ip: string }>();

  constructor(
    private readonly index: CacheIndex,
    private readonly nowUs: () => number,
  ) {}

  line(text: string): void {
    if (text.length > MAX_LINE_LENGTH) throw new Error('a line of the cache is too long');
    const line = JSON.parse(text) as unknown;
    if (!this.begun) {
      if ((line as { cache?: unknown } | null)?.cache !== CACHE_VERSION)
        throw new Error('not a cache of this version');
      this.begun = true;
      return;
    }
    if (!Array.isArray(line)) throw new Error('a line of the cache is no array');
    this.record(line as unknown[]);
  }

  private record([kind, ...fields]: unknown[]): void {
    const now = this.nowUs();
    if (kind === 'end') this.complete = true;
    else if (kind === 'clear') {
      const [cluster, ip, timeUs] = fields;
      if ((cluster !== null && !isName(cluster)) || !isIp(ip) || !isTime(timeUs))
        throw new Error('a bad clear');
      this.index.clear(cluster ?? undefined, ip, timeUs, now);
    } else if (kind === 'holder') {
      const [number, cluster, ip] = fields;
      if (!isTime(number) || !isName(cluster) || !isIp(ip)) throw new Error('a bad holder');
      if (this.holders.size >= this.index.options.maxHolders) throw new Error('too many holders');
      this.holders.set(number, { cluster, ip });
    } else if (kind === 'entry') {
      const [number, timeUs, hash] = fields;
      const holder = isTime(number) ? this.holders.get(number) : undefined;
      const hashes = fromHex([hash]);
      if (!holder || !isTime(timeUs) || !hashes) throw new Error('a bad entry');
      this.index.save(holder.cluster, holder.ip, hashes, timeUs, now);
    }
    // A kind of a later version is passed over.
  }
}

function isIp(value: unknown): value is string {
  return typeof value === 'string' && CANONICAL_IPV4.test(value);
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
