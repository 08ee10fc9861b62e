/**
 * Cache events as they travel on the bus: one JSON object a message, readable by a person who taps the subjects, on subjects of
 * their own and with an origin and seqs of their own. Decoding never throws.
 */
import { CANONICAL_IPV4, isName, isOrigin } from '../core/event';
import { JsonObject, type Unreadable } from '../wire/json-object';
import { fromHex, readHexList, withHexList } from './hash-texts';
import type { PrefixHashes } from './prefix-hashes';

const WIRE_VERSION = 1;
export const MAX_CACHE_PAYLOAD_BYTES = 16 * 1024;
/** So many fit into a message beside the longest cluster. */
export const MAX_HASHES_PER_EVENT = 700;

interface Fields {
  readonly origin: string;
  readonly seq: number;
  readonly timeUs: number;
  readonly ip: string;
}
export interface CacheSave extends Fields {
  readonly type: 'cache-save';
  readonly cluster: string;
  readonly hashes: PrefixHashes;
}
/** Of one cluster, or of every one. */
export interface CacheClear extends Fields {
  readonly type: 'cache-clear';
  readonly cluster: string | undefined;
}
export type CacheEvent = CacheSave | CacheClear;

export type InvalidCacheEvent =
  'too-large' | Unreadable | 'unknown' | 'origin' | 'seq' | 'time' | 'cluster' | 'ip' | 'hashes';

export function encodeCacheEvent(event: CacheEvent): Buffer {
  const { type, origin, seq, timeUs, cluster, ip } = event;
  const json = JSON.stringify({ v: WIRE_VERSION, type, origin, seq, time_us: timeUs, cluster, ip });
  if (event.type === 'cache-clear') return Buffer.from(json);
  return withHexList(`${json.slice(0, -1)},"hashes":[`, event.hashes);
}

export function decodeCacheEvent(payload: Uint8Array): CacheEvent | InvalidCacheEvent {
  if (payload.length > MAX_CACHE_PAYLOAD_BYTES) return 'too-large';
  const beside = JsonObject.readBesideList(payload, 'hashes');
  const quick = beside && readHexList(beside.text, beside.listStart, beside.listEnd);
  const object = quick ? beside.object : JsonObject.read(payload);
  if (typeof object === 'string') return object;
  const { v, type, origin, seq, time_us: timeUs, cluster, ip, hashes } = object.members;
  if (v !== WIRE_VERSION || (type !== 'cache-save' && type !== 'cache-clear')) return 'unknown';
  if (!isOrigin(origin)) return 'origin';
  if (!isCount(seq) || seq === 0) return 'seq';
  if (!isCount(timeUs)) return 'time';
  if (!isName(cluster) && !(type === 'cache-clear' && cluster === undefined)) return 'cluster';
  if (typeof ip !== 'string' || !CANONICAL_IPV4.test(ip)) return 'ip';
  const fields = { origin, seq, timeUs, ip };
  if (type === 'cache-clear') return { type, ...fields, cluster };
  const read = quick ?? (Array.isArray(hashes) ? fromHex(hashes) : undefined);
  if (read === undefined) return 'hashes';
  return { type, ...fields, cluster: cluster as string, hashes: read };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
