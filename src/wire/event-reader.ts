/**
 * Reads events from the subscription. Nearly all are in exactly the form that `encodeEvent` writes, in ASCII: those are
 * read from the bytes, at a third of what `JSON.parse` and the checks behind it cost. What differs from that form in a
 * single byte goes the general way, `decodeEvent`, which alone says what is valid; a property test holds this one to
 * the same answer.
 */
import type { LoadEvent } from '../core/event';
import {
  CANONICAL_IPV4,
  MAX_NAME_LENGTH,
  MAX_PROMPT_LENGTH,
  MAX_TIMESTAMP_DIGITS,
  isOrigin,
  isOwner,
} from '../core/event';
import { decodeEvent, type DecodedEvent } from './event-codec';
import { KnownTexts } from './known-texts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
/** 10^9, the lower part of a number with more digits than a double holds. */
const LOWER_DIGITS = 9;
const LOWER = 1_000_000_000n;

const HEAD = Buffer.from('{"v":1,"type":"');
const TYPES = (['add', 'prompt-delete', 'delete'] as const).map((type) => ({
  type,
  behind: Buffer.from(`${type}","origin":"`),
}));
const SEQ = Buffer.from('","seq":');
const TIME = Buffer.from(',"time_us":');
const REQUEST_ID = Buffer.from(',"request_id":"');
const CLUSTER = Buffer.from('","cluster":"');
const IP = Buffer.from('","ip":"');
const PROMPT_LENGTH = Buffer.from('","prompt_length":');
const TIMESTAMP = Buffer.from(',"timestamp":');
const OWNER = Buffer.from(',"owner":"');
const END = Buffer.from('}');
const END_OF_TEXT = Buffer.from('"}');

/** The form is another one; the general way will see. */
const OTHER = -1;

export class EventReader {
  private readonly origins = new KnownTexts(isOrigin);
  private readonly clusters = new KnownTexts((text) => text.length >= 1 && text.length <= MAX_NAME_LENGTH);
  private readonly owners = new KnownTexts(isOwner);
  private readonly ips = new KnownTexts((text) => CANONICAL_IPV4.test(text));
  private bytes: Buffer = HEAD;
  private at = 0;

  read(payload: Uint8Array): DecodedEvent {
    this.bytes = Buffer.isBuffer(payload)
      ? payload
      : Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    this.at = 0;
    const event = this.event();
    return event === undefined ? decodeEvent(payload) : { kind: 'event', event };
  }

  private event(): LoadEvent | undefined {
    if (!this.skip(HEAD)) return undefined;
    const type = TYPES.find(({ behind }) => this.skip(behind))?.type;
    if (type === undefined) return undefined;
    const origin = this.known(this.origins);
    if (origin === undefined || !this.skip(SEQ)) return undefined;
    const seq = this.integer(Number.MAX_SAFE_INTEGER);
    if (seq < 1 || !this.skip(TIME)) return undefined;
    const timeUs = this.integer(Number.MAX_SAFE_INTEGER);
    if (timeUs === OTHER || !this.skip(REQUEST_ID)) return undefined;
    const requestId = this.text();
    if (requestId === undefined) return undefined;
    if (type !== 'add') return this.ends(END_OF_TEXT) ? { type, origin, seq, timeUs, requestId } : undefined;
    if (!this.skip(CLUSTER)) return undefined;
    const cluster = this.known(this.clusters);
    if (cluster === undefined || !this.skip(IP)) return undefined;
    const ip = this.known(this.ips);
    if (ip === undefined || !this.skip(PROMPT_LENGTH)) return undefined;
    const promptLength = this.integer(MAX_PROMPT_LENGTH);
    if (promptLength === OTHER) return undefined;
    let timestampNs: bigint | undefined;
    if (this.skip(TIMESTAMP)) {
      timestampNs = this.timestamp();
      if (timestampNs === undefined) return undefined;
    }
    const add = { type, origin, seq, timeUs, requestId, cluster, ip, promptLength, timestampNs };
    if (!this.skip(OWNER)) return this.ends(END) ? add : undefined;
    const owner = this.known(this.owners);
    return owner !== undefined && this.ends(END_OF_TEXT) ? { ...add, owner } : undefined;
  }

  /** Whether these bytes come next; then they are behind. */
  private skip(expected: Buffer): boolean {
    const { bytes, at } = this;
    const { length } = expected;
    if (at + length > bytes.length) return false;
    for (let i = 0; i < length; i++) if (bytes[at + i] !== expected[i]) return false;
    this.at = at + length;
    return true;
  }

  private ends(expected: Buffer): boolean {
    return this.skip(expected) && this.at === this.bytes.length;
  }

  /** The place of the next quote, if there are only characters before it that JSON writes as they are. */
  private quote(): number {
    const { bytes } = this;
    for (let i = this.at; i < bytes.length; i++) {
      const byte = bytes[i]!;
      if (byte === QUOTE) return i;
      if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return OTHER;
    }
    return OTHER;
  }

  private known(texts: KnownTexts): string | undefined {
    const start = this.at;
    const end = this.quote();
    if (end === OTHER) return undefined;
    this.at = end;
    return texts.read(this.bytes, start, end);
  }

  private text(): string | undefined {
    const start = this.at;
    const end = this.quote();
    if (end - start < 1 || end - start > MAX_NAME_LENGTH) return undefined;
    this.at = end;
    return this.bytes.toString('latin1', start, end);
  }

  /** Without sign, fraction, exponent or leading zeros. */
  private integer(max: number): number {
    const start = this.at;
    const end = this.digitsEnd(start);
    if (end === start || (this.bytes[start] === ZERO && end !== start + 1)) return OTHER;
    this.at = end;
    const value = this.digits(start, end);
    return value <= max ? value : OTHER;
  }

  private timestamp(): bigint | undefined {
    const negative = this.bytes[this.at] === MINUS;
    const start = negative ? this.at + 1 : this.at;
    const end = this.digitsEnd(start);
    if (end === start || end - start > MAX_TIMESTAMP_DIGITS || this.bytes[start] === ZERO) return undefined;
    this.at = end;
    const middle = Math.max(start, end - LOWER_DIGITS);
    const value = BigInt(this.digits(start, middle)) * LOWER + BigInt(this.digits(middle, end));
    return negative ? -value : value;
  }

  private digitsEnd(start: number): number {
    const { bytes } = this;
    let at = start;
    while (at < bytes.length && bytes[at]! >= ZERO && bytes[at]! <= ZERO + 9) at++;
    return at;
  }

  /** Exact up to 2^53; larger numbers stay larger. */
  private digits(start: number, end: number): number {
    const { bytes } = this;
    let value = 0;
    for (let i = start; i < end; i++) value = value * 10 + (bytes[i]! - ZERO);
    return value;
  }
}
