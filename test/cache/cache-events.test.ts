/** The events of the prefix cache as bytes: I8, and their bound (I7). */
import fc from 'fast-check';
import {
  type CacheEvent,
  decodeCacheEvent,
  encodeCacheEvent,
  MAX_CACHE_PAYLOAD_BYTES,
  MAX_HASHES_PER_EVENT,
} from '../../src/cache/cache-events';
import { prefixHashesOf } from '../../src/cache/prefix-hashes';
import { equal } from '../support/same';
import { runs } from '../support/size';

const FIELDS = { origin: 'o-1', seq: 7, timeUs: 1_700_000_000_000_000, ip: '10.0.0.7' };
const SAVE: CacheEvent = {
  type: 'cache-save',
  ...FIELDS,
  cluster: 'qwen3.service',
  hashes: prefixHashesOf([12873452398745623487n, 42n]),
};

it('are written for people: a save, and a clear in one cluster or in all', () => {
  const text = (event: CacheEvent): string => encodeCacheEvent(event).toString();
  const fields = '"origin":"o-1","seq":7,"time_us":1700000000000000';
  expect(text(SAVE)).toBe(
    `{"v":1,"type":"cache-save",${fields},"cluster":"qwen3.service","ip":"10.0.0.7","hashes":["b2a7b0c00c221bbf","000000000000002a"]}`,
  );
  expect(text({ type: 'cache-clear', ...FIELDS, cluster: 'c' })).toBe(
    `{"v":1,"type":"cache-clear",${fields},"cluster":"c","ip":"10.0.0.7"}`,
  );
  expect(text({ type: 'cache-clear', ...FIELDS, cluster: undefined })).toBe(
    `{"v":1,"type":"cache-clear",${fields},"ip":"10.0.0.7"}`,
  );
});

it('are read as they were written', () => {
  const hashes = fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(hashes, fc.string({ minLength: 1, maxLength: 30 }), (values, cluster) => {
      const event: CacheEvent = { type: 'cache-save', ...FIELDS, cluster, hashes: prefixHashesOf(values) };
      equal(decodeCacheEvent(encodeCacheEvent(event)), event);
    }),
    { numRuns: runs(1_000) },
  );
});

it.each([
  ['"b2a7b0c00c221bbf""000000000000002a"', 'not-json'],
  ['"b2a7b0c00c221bbf";"000000000000002a"', 'not-json'],
  ['"b2a7b0c00c221bbf",000000000000002a"', 'not-json'],
  ['"b2a7b0c00c221bbf","000000000000002a', 'not-json'],
  ['"b2a7b0c00c221bbf", 000000000000002a ', 'not-json'],
  ['"b2a7b0c00c221bbf,","00000000000002a"', 'hashes'],
  ['"b2a7b0c00c221bbf"],"hashes":["', 'not-json'],
])('I8: a list of hashes written as %s is refused: %s', (list, reason) => {
  const text = encodeCacheEvent(SAVE).toString();
  const written = text.replace(/\[.*\]/, `[${list}]`);
  expect(decodeCacheEvent(Buffer.from(written))).toBe(reason);
});

it.each(['"hashes":[]', '"hash\\u0065s":[]'])(
  'I8: hashes of something else in an event with %s are not its own',
  (own) => {
    const text = encodeCacheEvent(SAVE).toString();
    const written = text.replace(/"hashes":(\[.*\])/, `"x":{"hashes":$1},${own}`);
    expect(decodeCacheEvent(Buffer.from(written))).toEqual({ ...SAVE, hashes: new Int32Array(0) });
  },
);

it('I8: an event is read alike as it is published and as any other writer of JSON would write it', () => {
  const texts = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((n) => n.toString(16).padStart(16, '0')),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom('', '2a', '000000000000002A', '00000000000000g0', '0000000000000łłł'),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom<unknown>(42, null, ['0000000000000000'], ']', '"hashes":[', ','),
    },
  );
  const more = fc.dictionary(fc.constantFrom('hashes', 'cluster', 'x', 'y]'), fc.jsonValue({ maxDepth: 2 }), {
    maxKeys: 2,
  });
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 4 }), more, fc.boolean(), (hashes, others, last) => {
      const good = JSON.parse(encodeCacheEvent(SAVE).toString()) as Record<string, unknown>;
      delete good['hashes'];
      const event = last ? { ...good, hashes, ...others } : { ...others, hashes, ...good };
      const compact = JSON.stringify(event);
      // A space before the list is not how events are published, so it takes the general way.
      const spaced = JSON.stringify(event, undefined, 1);
      equal(decodeCacheEvent(Buffer.from(compact)), decodeCacheEvent(Buffer.from(spaced)));
    }),
    { numRuns: runs(2_000) },
  );
});

it.each(['\u0000', '🙂', '"'])(
  'I7: the most hashes beside the longest cluster, of %j, are below the limit of a message',
  (character) => {
    const hashes = prefixHashesOf(Array.from({ length: MAX_HASHES_PER_EVENT }, () => 2n ** 64n - 1n));
    const event: CacheEvent = {
      type: 'cache-save',
      origin: 'o'.repeat(64),
      seq: Number.MAX_SAFE_INTEGER,
      timeUs: Number.MAX_SAFE_INTEGER,
      ip: '255.255.255.255',
      cluster: character.repeat(256),
      hashes,
    };
    const payload = encodeCacheEvent(event);
    expect(payload.length).toBeLessThanOrEqual(MAX_CACHE_PAYLOAD_BYTES);
    expect(decodeCacheEvent(payload)).toEqual(event);
  },
);

it.each([
  ['not-json', 'rubbish'],
  ['not-an-object', '[]'],
  ['not-utf8', Buffer.from([0x7b, 0xff, 0x7d])],
  ['too-large', ' '.repeat(MAX_CACHE_PAYLOAD_BYTES + 1)],
  ['unknown', { v: 2 }],
  ['unknown', { type: 'add' }],
  ['origin', { origin: '' }],
  ['origin', { origin: 'a b' }],
  ['seq', { seq: 0 }],
  ['seq', { seq: 1.5 }],
  ['time', { time_us: -1 }],
  ['time', { time_us: '1' }],
  ['cluster', { cluster: '' }],
  ['cluster', { cluster: undefined }],
  ['ip', { ip: '10.0.0' }],
  ['ip', { ip: '010.0.0.1' }],
  ['hashes', { hashes: undefined }],
  ['hashes', { hashes: '2a' }],
  ['hashes', { hashes: ['2a'] }],
  ['hashes', { hashes: [42] }],
  ['hashes', { hashes: ['000000000000002A'] }],
] as const)('I8: %s is what is wrong with %j', (reason, fault) => {
  const good = JSON.parse(encodeCacheEvent(SAVE).toString()) as object;
  const payload =
    typeof fault === 'string' || Buffer.isBuffer(fault)
      ? Buffer.from(fault)
      : Buffer.from(JSON.stringify({ ...good, ...fault }));
  expect(decodeCacheEvent(payload)).toBe(reason);
});
