/**
 * What gateways save and ask of the engines' prefix caches: applied to the own index and told to the other replicas, or heard from them.
 * Advisory, so that losses are counted and not chased. Its messages have a queue of their own, of which at most so many bytes leave in
 * one turn of the event loop: load events never wait for it.
 */
import type { Bus } from '../bus/bus';
import { type CacheEvent, decodeCacheEvent, encodeCacheEvent, MAX_HASHES_PER_EVENT } from './cache-events';
import type { CacheIndex, CacheLocation, CacheOutcome } from './cache-index';
import type { PrefixHashes } from './prefix-hashes';

const BYTES_PER_TURN = 64 * 1024;
const MAX_QUEUED_BYTES = 8 * 1024 * 1024;
/** Places looked at, well under a millisecond of work. */
const SWEPT_AT_ONCE = 2_000;
const SWEEP_EVERY_MS = 1_000;
/** Of other replicas' processes, for counting losses; the one that was silent for longest goes. */
const MAX_ORIGINS = 1_000;

/** Of the time to live: what is held for less is neither told nor raised again. */
const FRESH_SHARE = 1 / 4;

export interface PrefixCacheOptions {
  /** A new random id at each process start. */
  readonly origin: string;
  readonly subjects: { readonly save: string; readonly clear: string };
}

export class PrefixCache {
  readonly counts = {
    hits: 0,
    misses: 0,
    saves: 0,
    clears: 0,
    published: 0,
    unpublished: 0,
    received: 0,
    lost: 0,
  };
  /** Messages that changed nothing, by why. */
  readonly dropped = new Map<string, number>();
  private sweeping: NodeJS.Timeout | undefined;
  private lastSeq = 0;
  private readonly queue: { readonly subject: string; readonly payload: Uint8Array }[] = [];
  private queuedBytes = 0;
  private leftInTurn = BYTES_PER_TURN;
  private turnEnds = false;
  private readonly seqs = new Map<string, number>();

  constructor(
    readonly index: CacheIndex,
    private readonly bus: Bus,
    private readonly nowUs: () => number,
    private readonly options: PrefixCacheOptions,
  ) {}

  start(): void {
    this.sweeping = setInterval(() => this.index.sweep(this.nowUs(), SWEPT_AT_ONCE), SWEEP_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.sweeping);
  }

  locations(cluster: string, hashes: PrefixHashes, most: number): CacheLocation[] {
    const locations = this.index.locations(cluster, hashes, most, this.nowUs());
    if (locations.length > 0) this.counts.hits++;
    else this.counts.misses++;
    return locations;
  }

  /** `full`: there are too many engines. */
  save(cluster: string, ip: string, hashes: PrefixHashes): CacheOutcome {
    const now = this.nowUs();
    const { index } = this;
    const news = index.notFresh(cluster, ip, hashes, index.options.ttlUs * FRESH_SHARE, now);
    const timeUs = index.timeOfSave(cluster, ip, now);
    this.counts.saves++;
    for (let from = 0; from < news.length; from += 2 * MAX_HASHES_PER_EVENT) {
      const part = news.subarray(from, from + 2 * MAX_HASHES_PER_EVENT);
      const outcome = index.save(cluster, ip, part, timeUs, now);
      if (outcome !== 'applied') return outcome;
      this.publish({ type: 'cache-save', ...this.dot(timeUs), cluster, ip, hashes: part });
    }
    return 'applied';
  }

  clear(cluster: string | undefined, ip: string): CacheOutcome {
    const now = this.nowUs();
    const timeUs = this.index.timeOfClear(cluster, ip, now);
    const outcome = this.index.clear(cluster, ip, timeUs, now);
    if (outcome !== 'applied') return outcome;
    this.counts.clears++;
    this.publish({ type: 'cache-clear', ...this.dot(timeUs), cluster, ip });
    return outcome;
  }

  /** Takes a message of the cache's subjects; whatever it holds, it never throws. */
  receive(payload: Uint8Array): void {
    const event = decodeCacheEvent(payload);
    if (typeof event === 'string') {
      this.drop(event);
      return;
    }
    if (event.origin === this.options.origin) return;
    this.counts.received++;
    this.countLost(event);
    const now = this.nowUs();
    const { cluster, ip, timeUs } = event;
    const outcome =
      event.type === 'cache-save'
        ? this.index.save(event.cluster, ip, event.hashes, timeUs, now)
        : this.index.clear(cluster, ip, timeUs, now);
    if (outcome !== 'applied') this.drop(outcome);
  }

  private dot(timeUs: number): { origin: string; seq: number; timeUs: number } {
    return { origin: this.options.origin, seq: ++this.lastSeq, timeUs };
  }

  private drop(why: string): void {
    this.dropped.set(why, (this.dropped.get(why) ?? 0) + 1);
  }

  private countLost({ origin, seq }: CacheEvent): void {
    const last = this.seqs.get(origin);
    if (last !== undefined && seq > last + 1) this.counts.lost += seq - last - 1;
    // The last one heard of stands last.
    this.seqs.delete(origin);
    this.seqs.set(origin, Math.max(seq, last ?? 0));
    if (this.seqs.size > MAX_ORIGINS) this.seqs.delete(this.seqs.keys().next().value!);
  }

  private publish(event: CacheEvent): void {
    if (this.bus.alone) {
      this.counts.published++;
      return;
    }
    const { subjects } = this.options;
    const subject = event.type === 'cache-save' ? subjects.save : subjects.clear;
    const payload = encodeCacheEvent(event);
    if (this.queuedBytes + payload.length > MAX_QUEUED_BYTES) {
      this.counts.unpublished++;
      return;
    }
    this.queue.push({ subject, payload });
    this.queuedBytes += payload.length;
    this.send();
  }

  private send(): void {
    while (this.queue.length > 0 && this.leftInTurn > 0) {
      const { subject, payload } = this.queue.shift()!;
      this.queuedBytes -= payload.length;
      this.leftInTurn -= payload.length;
      if (this.bus.publish(subject, payload)) this.counts.published++;
      else this.counts.unpublished++;
    }
    if (this.turnEnds) return;
    this.turnEnds = true;
    setImmediate(() => {
      this.turnEnds = false;
      this.leftInTurn = BYTES_PER_TURN;
      if (this.queue.length > 0) this.send();
    });
  }
}
