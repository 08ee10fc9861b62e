import fc from 'fast-check';
import { isOwnerEvent, type LoadEvent, type OwnerEvent } from '../../src/core/event';
import {
  decodeEvent,
  encodeEvent,
  INVALID_REASONS,
  MAX_PAYLOAD_BYTES,
  type InvalidReason,
} from '../../src/wire/event-codec';
import { EventReader } from '../../src/wire/event-reader';
import { heartbeatSubject, loadWildcard, subjectOf } from '../../src/wire/subjects';
import { codePoint } from '../support/code-point';
import { equal } from '../support/same';
import { runs } from '../support/size';

const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 40 }),
  fc.string({ minLength: 1, maxLength: 40, unit: codePoint }),
  // Whatever units there are, but for lone surrogates: those are refused.
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 1, maxLength: 256 })
    .map((units) => Buffer.from(String.fromCharCode(...units)).toString()),
);
const dot = {
  origin: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
  seq: fc.maxSafeInteger().map((n) => Math.max(1, Math.abs(n))),
  timeUs: fc.maxSafeNat(),
  requestId: name,
};
const place = {
  cluster: name,
  ip: fc.ipV4(),
  promptLength: fc.nat({ max: 2147483647 }),
  timestampNs: fc.option(fc.bigInt({ min: -(10n ** 19n) + 1n, max: 10n ** 19n - 1n }), { nil: undefined }),
};
const ofOwner = { origin: dot.origin, seq: dot.seq, timeUs: dot.timeUs };
const owner = fc.stringMatching(/^[!-~]{1,64}$/);
const event: fc.Arbitrary<LoadEvent | OwnerEvent> = fc.oneof(
  fc.record({
    type: fc.constant('add' as const),
    ...dot,
    ...place,
  }),
  fc.record({ type: fc.constant('add' as const), ...dot, ...place, owner }),
  fc.record({ type: fc.constantFrom('prompt-delete' as const, 'delete' as const), ...dot }),
  fc.record({
    type: fc.constant('owner' as const),
    ...ofOwner,
    owner,
    ttlMs: fc.integer({ min: 3_000, max: 300_000 }),
  }),
  fc.record({ type: fc.constant('owner-gone' as const), ...ofOwner, owner }),
);

const validAdd = {
  v: 1,
  type: 'add',
  origin: 'o-1',
  seq: 7,
  time_us: 1731897600123456,
  request_id: 'r',
  cluster: 'c',
  ip: '10.0.0.1',
  prompt_length: 512,
};

const nearlyValid = fc
  .tuple(event, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }))
  .map(([original, edits]) => {
    const bytes = encodeEvent(original);
    for (const [at, value] of edits) bytes[at % bytes.length] = value;
    return bytes;
  });
/** Cut off, or with something behind. */
const resized = fc.tuple(event, fc.nat(), fc.string({ maxLength: 3 })).map(([original, length, more]) => {
  const json = encodeEvent(original).toString();
  return Buffer.from(more === '' ? json.slice(0, length % json.length) : json + more);
});
/** One of its numbers is another literal. */
const renumbered = fc
  .tuple(event, fc.nat(), fc.stringMatching(/^-?[0-9]{1,21}(\.[0-9]{1,2})?(e[0-9])?$/))
  .map(([original, which, literal]) => {
    const json = encodeEvent(original).toString();
    const numbers = [...json.matchAll(/:-?[0-9]+(?=[,}])/g)];
    const { index, 0: text } = numbers[which % numbers.length]!;
    return Buffer.from(`${json.slice(0, index)}:${literal}${json.slice(index + text.length)}`);
  });
const anyFields = fc
  .dictionary(fc.constantFrom(...Object.keys(validAdd), 'timestamp', '__proto__'), fc.jsonValue())
  .map((fields) => Buffer.from(JSON.stringify({ ...validAdd, ...fields })));

describe('the wire form of events', () => {
  it('is what the contract shows, with a 19-digit timestamp exact', () => {
    const add: LoadEvent = {
      type: 'add',
      origin: 'o-1',
      seq: 7,
      timeUs: 1731897600123456,
      requestId: 'r "1"',
      cluster: 'c',
      ip: '10.0.0.1',
      promptLength: 512,
      timestampNs: 1731897600123456789n,
    };
    expect(encodeEvent(add).toString()).toBe(
      '{"v":1,"type":"add","origin":"o-1","seq":7,"time_us":1731897600123456,"request_id":"r \\"1\\"",' +
        '"cluster":"c","ip":"10.0.0.1","prompt_length":512,"timestamp":1731897600123456789}',
    );
    expect(encodeEvent({ ...add, timestampNs: undefined, owner: 'gw"1' }).toString()).toContain(
      '"prompt_length":512,"owner":"gw\\"1"}',
    );
    const lease = { type: 'owner', origin: 'o-1', seq: 9, timeUs: 9, owner: 'gw-1', ttlMs: 15_000 } as const;
    expect(encodeEvent(lease).toString()).toBe(
      '{"v":1,"type":"owner","origin":"o-1","seq":9,"time_us":9,"owner":"gw-1","ttl_ms":15000}',
    );
    expect(
      encodeEvent({ type: 'owner-gone', origin: 'o-1', seq: 9, timeUs: 9, owner: 'gw-1' }).toString(),
    ).toBe('{"v":1,"type":"owner-gone","origin":"o-1","seq":9,"time_us":9,"owner":"gw-1"}');
    expect(encodeEvent({ type: 'delete', origin: 'o-1', seq: 8, timeUs: 9, requestId: 'r' }).toString()).toBe(
      '{"v":1,"type":"delete","origin":"o-1","seq":8,"time_us":9,"request_id":"r"}',
    );
  });

  it('refuses names with lone surrogates, which replicas could not tell apart in UTF-8 (I8)', () => {
    const lone = '{"v":1,"type":"delete","origin":"o","seq":1,"time_us":1,"request_id":"\\ud800"}';
    expect(decodeEvent(Buffer.from(lone))).toEqual({ kind: 'invalid', reason: 'request-id' });
    expect(decodeEvent(Buffer.from(lone.replace('ud800', 'u00e9')))).toMatchObject({ kind: 'event' });
  });

  it('decodes to the event that was encoded, whatever its strings hold (I1)', () => {
    fc.assert(
      fc.property(event, (original) => {
        expect(decodeEvent(encodeEvent(original))).toEqual({ kind: 'event', event: original });
      }),
      { numRuns: runs(2000) },
    );
  });

  it('is the JSON that JSON.stringify would write, below the size limit', () => {
    fc.assert(
      fc.property(event, (original) => {
        const payload = encodeEvent(original);
        const { type, origin, seq, timeUs } = original;
        const expected: Record<string, unknown> = { v: 1, type, origin, seq, time_us: timeUs };
        if (!isOwnerEvent(original)) expected['request_id'] = original.requestId;
        if ('owner' in original) expected['owner'] = original.owner;
        if (original.type === 'owner') expected['ttl_ms'] = original.ttlMs;
        if (original.type === 'add') {
          expected['cluster'] = original.cluster;
          expected['ip'] = original.ip;
          expected['prompt_length'] = original.promptLength;
          if (original.timestampNs !== undefined) expected['timestamp'] = Number(original.timestampNs);
        }
        expect(JSON.parse(payload.toString())).toEqual(expected);
        expect(payload.length).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES);
      }),
    );
  });

  it('decodes a message that starts in the middle of a larger buffer', () => {
    const payload = encodeEvent({ type: 'delete', origin: 'o', seq: 1, timeUs: 2, requestId: 'r' });
    const frame = Buffer.concat([Buffer.from('{"MSG'), payload, Buffer.from('\r\n}')]);
    expect(decodeEvent(new Uint8Array(frame).subarray(5, 5 + payload.length))).toMatchObject({
      kind: 'event',
    });
  });

  it('ignores fields that it does not know', () => {
    const json = JSON.stringify({ ...validAdd, region: { timestamp: 3 }, __proto__: null });
    expect(decodeEvent(Buffer.from(json))).toMatchObject({
      kind: 'event',
      event: { type: 'add', promptLength: 512, timestampNs: undefined },
    });
  });

  it.each<[string, object]>([
    ['a later version', { v: 2, type: 'add', origin: 'o-1', seq: 7, time_us: 5, request_id: 42 }],
    ['a later version without a type', { v: 3, origin: 'o-1', seq: 7, time_us: 5 }],
    ['an unknown type', { v: 1, type: 'extend', origin: 'o-1', seq: 7, time_us: 5 }],
  ])('counts the dot of %s as seen', (_case, wire) => {
    expect(decodeEvent(Buffer.from(JSON.stringify(wire)))).toEqual({
      kind: 'unknown',
      dot: { origin: 'o-1', seq: 7 },
      timeUs: 5,
    });
  });

  it.each<[InvalidReason, Record<string, unknown>]>([
    ['version', { v: 0 }],
    ['version', { v: '1' }],
    ['version', { v: undefined }],
    ['version', { v: 1.5 }],
    ['type', { type: 7 }],
    ['type', { type: undefined }],
    ['origin', { origin: '' }],
    ['origin', { origin: 'a'.repeat(65) }],
    ['origin', { origin: 'a b' }],
    ['origin', { origin: 'a\n' }],
    ['origin', { origin: 5 }],
    ['origin', { v: 2, origin: null }],
    ['seq', { seq: 0 }],
    ['seq', { seq: 1.5 }],
    ['seq', { seq: 2 ** 53 }],
    ['seq', { seq: '1' }],
    ['seq', { v: 2, seq: undefined }],
    ['time', { time_us: -1 }],
    ['time', { time_us: null }],
    ['time', { type: 'extend', time_us: 2 ** 53 }],
    ['request-id', { request_id: '' }],
    ['request-id', { request_id: 'r'.repeat(257) }],
    ['request-id', { type: 'delete', request_id: 5 }],
    ['request-id', { type: 'prompt-delete', request_id: undefined }],
    ['cluster', { cluster: undefined }],
    ['cluster', { cluster: 'c'.repeat(257) }],
    ['ip', { ip: '10.0.0.01' }],
    ['ip', { ip: '10.0.0.256' }],
    ['ip', { ip: '::1' }],
    ['ip', { ip: 167772161 }],
    ['prompt-length', { prompt_length: -1 }],
    ['prompt-length', { prompt_length: 2147483648 }],
    ['prompt-length', { prompt_length: undefined }],
    ['timestamp', { timestamp: '5' }],
    ['timestamp', { timestamp: 1.5 }],
    ['timestamp', { timestamp: 1e19 }],
    ['timestamp', { timestamp: null }],
    ['owner', { owner: '' }],
    ['owner', { owner: 'x'.repeat(65) }],
    ['owner', { owner: 'a b' }],
    ['owner', { owner: null }],
    ['owner', { type: 'owner', ttl_ms: 15_000 }],
    ['owner', { type: 'owner-gone', owner: 5 }],
    ['ttl', { type: 'owner', owner: 'gw' }],
    ['ttl', { type: 'owner', owner: 'gw', ttl_ms: 2_999 }],
    ['ttl', { type: 'owner', owner: 'gw', ttl_ms: 300_001 }],
    ['ttl', { type: 'owner', owner: 'gw', ttl_ms: '15000' }],
  ])('drops a message as %s for %j (I8)', (reason, change) => {
    expect(decodeEvent(Buffer.from(JSON.stringify({ ...validAdd, ...change })))).toEqual({
      kind: 'invalid',
      reason,
    });
  });

  it.each<[InvalidReason, Uint8Array]>([
    ['too-large', Buffer.alloc(MAX_PAYLOAD_BYTES + 1, 0x20)],
    ['not-utf8', Buffer.from([0x22, 0xff, 0x22])],
    ['not-json', Buffer.from('')],
    ['not-json', Buffer.from('{"v":1')],
    ['not-json', Buffer.from('['.repeat(MAX_PAYLOAD_BYTES))],
    ['not-an-object', Buffer.from('[1]')],
    ['not-an-object', Buffer.from('null')],
    ['not-an-object', Buffer.from('"add"')],
  ])('drops bytes as %s (I8)', (reason, payload) => {
    expect(decodeEvent(payload)).toEqual({ kind: 'invalid', reason });
  });

  it('never throws and gives one of the known reasons, whatever the bytes (I7, I8)', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), nearlyValid, anyFields), (payload) => {
        const decoded = decodeEvent(payload);
        switch (decoded.kind) {
          case 'invalid':
            return INVALID_REASONS.includes(decoded.reason);
          case 'unknown':
            return decoded.dot.seq >= 1 && decoded.timeUs >= 0;
          case 'event':
            return decodeEvent(encodeEvent(decoded.event)).kind === 'event';
        }
      }),
      { numRuns: runs(5000) },
    );
  });

  it('is read from the bytes as JSON.parse and its checks would read it, whatever the bytes (I1, I8)', () => {
    const reader = new EventReader();
    const payload = fc.oneof(
      fc.uint8Array(),
      event.map(encodeEvent),
      nearlyValid,
      resized,
      renumbered,
      anyFields,
    );
    fc.assert(
      fc.property(payload, fc.boolean(), (bytes, plain) => {
        const given = plain ? new Uint8Array(bytes) : Buffer.from(bytes);
        equal(reader.read(given), decodeEvent(given));
      }),
      { numRuns: runs(20_000) },
    );
  });

  it.each<[string, string, string]>([
    ['a seq beyond what a double holds', '"seq":7', '"seq":9007199254740993'],
    ['a seq with a leading zero', '"seq":7', '"seq":07'],
    ['a seq of zero', '"seq":7', '"seq":0'],
    ['an address that is none', '10.0.0.1"', '10.0.0.01"'],
    ['a prompt that is too long', '512', '2147483648'],
    ['a timestamp of minus zero', '5}', '-0}'],
    ['a timestamp with 20 digits', '5}', '12345678901234567890}'],
    ['a timestamp with leading zeros', '5}', '00005}'],
    ['a timestamp of zero', '5}', '0}'],
    ['a negative timestamp', '5}', '-1731897600123456789}'],
    ['a timestamp with a fraction', '5}', '5.0}'],
    ['a member behind the last', '5}', '5,"region":1}'],
    ['text behind the object', '5}', '5} '],
    ['no end', '5}', '5'],
    ['an id of no characters', '"r"', '""'],
    ['an id of 256 characters', '"r"', `"${'r'.repeat(256)}"`],
    ['an id of 257 characters', '"r"', `"${'r'.repeat(257)}"`],
    ['a cluster of 257 characters', '"c"', `"${'c'.repeat(257)}"`],
    ['an id with an escape', '"r"', '"\\u0041"'],
    ['an id that is not ASCII', '"r"', '"é"'],
    ['an owner', '5}', '5,"owner":"gw-1"}'],
    ['an owner of no characters', '5}', '5,"owner":""}'],
    ['an owner of 65 characters', '5}', `5,"owner":"${'x'.repeat(65)}"}`],
    ['an owner with an escape', '5}', '5,"owner":"\\u0041"}'],
    ['something behind the owner', '5}', '5,"owner":"gw-1","x":1}'],
  ])('is read the same way with %s (I8)', (_case, part, other) => {
    const json = JSON.stringify({ ...validAdd, timestamp: 5 });
    expect(json).toContain(part);
    const payload = Buffer.from(json.replace(part, other));
    expect(new EventReader().read(payload)).toEqual(decodeEvent(payload));
  });

  it('is read from the bytes when a replica wrote it in ASCII, an address or a cluster that is not accepted never (I8)', () => {
    const reader = new EventReader();
    const bad = Buffer.from(JSON.stringify({ ...validAdd, ip: '10.0.0.300' }));
    expect(reader.read(bad)).toEqual({ kind: 'invalid', reason: 'ip' });
    expect(reader.read(bad)).toEqual({ kind: 'invalid', reason: 'ip' });
    const good = Buffer.from(JSON.stringify(validAdd));
    const parse = jest.spyOn(JSON, 'parse');
    expect(reader.read(good)).toMatchObject({ kind: 'event', event: { ip: '10.0.0.1' } });
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });
});

describe('subjects', () => {
  it('are those of the contract', () => {
    expect(subjectOf('metadata-center', 'add')).toBe('metadata-center.load.add');
    expect(subjectOf('metadata-center', 'prompt-delete')).toBe('metadata-center.load.prompt-delete');
    expect(subjectOf('metadata-center', 'delete')).toBe('metadata-center.load.delete');
    expect(loadWildcard('metadata-center')).toBe('metadata-center.load.*');
    expect(heartbeatSubject('metadata-center')).toBe('metadata-center.replica.heartbeat');
  });
});
