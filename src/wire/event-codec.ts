/**
 * Events as they travel on the bus: one JSON object a message, readable by a person who taps the subjects.
 * The wire form is a type of its own; nothing else knows its field names. Whatever a message holds, decoding
 * answers with one of three outcomes and never throws.
 */
import type { Dot, LoadEvent, OwnerEvent } from '../core/event';
import {
  CANONICAL_IPV4,
  isName,
  isOrigin,
  isOwner,
  isOwnerEvent,
  MAX_NAME_LENGTH,
  MAX_OWNER_LENGTH,
  MAX_OWNER_TTL_MS,
  MAX_PROMPT_LENGTH,
  MAX_TIMESTAMP_DIGITS,
  MIN_OWNER_TTL_MS,
} from '../core/event';
import { exactIntegerOf, JsonObject } from './json-object';

const WIRE_VERSION = 1;
export const MAX_PAYLOAD_BYTES = 16 * 1024;

/** Why a message was dropped; the values are metric labels, so the set is closed. */
export const INVALID_REASONS = [
  'too-large',
  'not-utf8',
  'not-json',
  'not-an-object',
  'version',
  'type',
  'origin',
  'seq',
  'time',
  'request-id',
  'cluster',
  'ip',
  'prompt-length',
  'timestamp',
  'owner',
  'ttl',
] as const;
export type InvalidReason = (typeof INVALID_REASONS)[number];

export type DecodedEvent =
  | { readonly kind: 'event'; readonly event: LoadEvent | OwnerEvent }
  /** Well formed, of a later version or an unknown type: changes no row, but its dot counts as seen. */
  | { readonly kind: 'unknown'; readonly dot: Dot; readonly timeUs: number }
  | { readonly kind: 'invalid'; readonly reason: InvalidReason };

export function encodeEvent(event: LoadEvent | OwnerEvent): Buffer {
  let json = `{"v":${WIRE_VERSION},"type":"${event.type}","origin":"${event.origin}","seq":${event.seq},"time_us":${event.timeUs}`;
  if (isOwnerEvent(event)) {
    json += `,"owner":${quote(event.owner)}`;
    if (event.type === 'owner') json += `,"ttl_ms":${event.ttlMs}`;
    return Buffer.from(`${json}}`);
  }
  json += `,"request_id":${quote(event.requestId)}`;
  if (event.type === 'add') {
    json += `,"cluster":${quote(event.cluster)},"ip":"${event.ip}","prompt_length":${event.promptLength}`;
    if (event.timestampNs !== undefined) json += `,"timestamp":${event.timestampNs.toString()}`;
    if (event.owner !== undefined) json += `,"owner":${quote(event.owner)}`;
  }
  return Buffer.from(`${json}}`);
}

const NEEDS_NO_ESCAPE = /^[ !#-[\]-~]*$/;

function quote(text: string): string {
  return NEEDS_NO_ESCAPE.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** Of the largest add that can be reported: each character of a name may take six bytes. */
export const LARGEST_EVENT_BYTES = encodeEvent({
  type: 'add',
  origin: 'x'.repeat(16),
  seq: Number.MAX_SAFE_INTEGER,
  timeUs: Number.MAX_SAFE_INTEGER,
  requestId: '\u0001'.repeat(MAX_NAME_LENGTH),
  cluster: '\u0001'.repeat(MAX_NAME_LENGTH),
  ip: '255.255.255.255',
  promptLength: MAX_PROMPT_LENGTH,
  timestampNs: -(2n ** 63n),
  owner: '"'.repeat(MAX_OWNER_LENGTH),
}).length;

export function decodeEvent(payload: Uint8Array): DecodedEvent {
  if (payload.length > MAX_PAYLOAD_BYTES) return invalid('too-large');
  const object = JsonObject.read(payload);
  return object instanceof JsonObject ? decodeFields(object.members, object.text) : invalid(object);
}

interface WireFields {
  readonly v?: unknown;
  readonly type?: unknown;
  readonly origin?: unknown;
  readonly seq?: unknown;
  readonly time_us?: unknown;
  readonly request_id?: unknown;
  readonly cluster?: unknown;
  readonly ip?: unknown;
  readonly prompt_length?: unknown;
  readonly timestamp?: unknown;
  readonly owner?: unknown;
  readonly ttl_ms?: unknown;
}

function decodeFields(wire: WireFields, json: string): DecodedEvent {
  const { v, type, origin, seq, time_us: timeUs, request_id: requestId } = wire;
  if (!isInteger(v, 1, Number.MAX_SAFE_INTEGER)) return invalid('version');
  if (!isOrigin(origin)) return invalid('origin');
  if (!isInteger(seq, 1, Number.MAX_SAFE_INTEGER)) return invalid('seq');
  if (!isInteger(timeUs, 0, Number.MAX_SAFE_INTEGER)) return invalid('time');
  if (v !== WIRE_VERSION) return { kind: 'unknown', dot: { origin, seq }, timeUs };
  if (typeof type !== 'string') return invalid('type');
  switch (type) {
    case 'add':
      return decodeAdd(wire, json, { origin, seq }, timeUs);
    case 'prompt-delete':
    case 'delete':
      if (!isName(requestId)) return invalid('request-id');
      return { kind: 'event', event: { type, origin, seq, timeUs, requestId } };
    case 'owner':
    case 'owner-gone':
      return decodeOwner(wire, type, { origin, seq }, timeUs);
    default:
      return { kind: 'unknown', dot: { origin, seq }, timeUs };
  }
}

function decodeAdd(wire: WireFields, json: string, dot: Dot, timeUs: number): DecodedEvent {
  const { request_id: requestId, cluster, ip, prompt_length: promptLength } = wire;
  if (!isName(requestId)) return invalid('request-id');
  if (!isName(cluster)) return invalid('cluster');
  if (typeof ip !== 'string' || !CANONICAL_IPV4.test(ip)) return invalid('ip');
  if (!isInteger(promptLength, 0, MAX_PROMPT_LENGTH)) return invalid('prompt-length');
  let timestampNs: bigint | undefined;
  if (wire.timestamp !== undefined) {
    if (typeof wire.timestamp !== 'number') return invalid('timestamp');
    timestampNs = exactIntegerOf(json, 'timestamp');
    if (timestampNs === undefined || timestampNs > MAX_TIMESTAMP || timestampNs < -MAX_TIMESTAMP) {
      return invalid('timestamp');
    }
  }
  const { owner } = wire;
  if (owner !== undefined && !isOwner(owner)) return invalid('owner');
  const { origin, seq } = dot;
  const add = {
    type: 'add',
    origin,
    seq,
    timeUs,
    requestId,
    cluster,
    ip,
    promptLength,
    timestampNs,
  } as const;
  return { kind: 'event', event: owner === undefined ? add : { ...add, owner } };
}

function decodeOwner(
  { owner, ttl_ms: ttlMs }: WireFields,
  type: OwnerEvent['type'],
  dot: Dot,
  timeUs: number,
): DecodedEvent {
  if (!isOwner(owner)) return invalid('owner');
  if (type === 'owner-gone') return { kind: 'event', event: { type, ...dot, timeUs, owner } };
  if (!isInteger(ttlMs, MIN_OWNER_TTL_MS, MAX_OWNER_TTL_MS)) return invalid('ttl');
  return { kind: 'event', event: { type, ...dot, timeUs, owner, ttlMs } };
}

const MAX_TIMESTAMP = 10n ** BigInt(MAX_TIMESTAMP_DIGITS) - 1n;

function isInteger(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

function invalid(reason: InvalidReason): DecodedEvent {
  return { kind: 'invalid', reason };
}
