import { RequestHash } from '../../src/core/request-hash';

const COUNT = 200_000;

function hashesOf(idOf: (i: number) => string): Float64Array {
  const hash = new RequestHash();
  const values = new Float64Array(COUNT * 2);
  for (let i = 0; i < COUNT; i++) {
    hash.of(idOf(i));
    values[2 * i] = hash.hi >>> 0;
    values[2 * i + 1] = hash.lo >>> 0;
  }
  return values;
}

const shapes: [string, (i: number) => string][] = [
  ['decimal counters', (i) => String(i)],
  ['prefixed, padded counters', (i) => `req-${String(i).padStart(12, '0')}`],
  ['two counters', (i) => `gateway-${i % 1000}-${Math.floor(i / 1000)}`],
  [
    'UUIDs that differ in few digits',
    (i) => `7d9f2c1e-${i.toString(16).padStart(8, '0')}-4b1c-8a5d-000000000000`,
  ],
  ['bits as letters', (i) => i.toString(2).padStart(20, '0').replaceAll('0', 'a').replaceAll('1', 'b')],
  ['runs of one letter and a counter', (i) => `${'x'.repeat(i % 200)}${Math.floor(i / 200)}`],
];

describe('RequestHash', () => {
  it.each<[string, number, number]>([
    ['', 492257433, 763733524],
    ['a', -1993982535, -550875589],
    ['b', -1749779823, -1110725202],
    ['ab', -302380004, -1343563197],
    ['request-1', 1480413537, 1691564744],
    ['7d9f2c1e-0000-4b1c-8a5d-000000000001', -381727744, -1145764288],
    ['日本語', -141869218, -236988608],
    ['😀', 719151408, -265188657],
    ['x'.repeat(256), -1207148203, -14561504],
  ])('is the same for %j in every version, as snapshots carry it', (id, hi, lo) => {
    const hash = new RequestHash().of(id);
    expect([hash.hi, hash.lo]).toEqual([hi, lo]);
  });

  it.each(shapes)(
    'tells many ids apart and spreads both halves evenly, high bits and low bits: %s',
    (_, idOf) => {
      const values = hashesOf(idOf);
      expect(
        new Set(Array.from({ length: COUNT }, (_, i) => `${values[2 * i]} ${values[2 * i + 1]}`)).size,
      ).toBe(COUNT);
      for (const half of [0, 1]) {
        for (const shift of [0, 8, 16, 24]) {
          const counts = new Float64Array(256);
          for (let i = 0; i < COUNT; i++) counts[(values[2 * i + half]! / 2 ** shift) & 255]!++;
          const expected = COUNT / 256;
          const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
          // 255 degrees of freedom: 400 is beyond one in 10^7.
          expect(chiSquare).toBeLessThan(400);
        }
        // As a 32-bit hash: as many collisions as chance gives (n² / 2^33 = 4.7), not many more.
        const sorted = Float64Array.from({ length: COUNT }, (_, i) => values[2 * i + half]!).sort();
        let collisions = 0;
        for (let i = 1; i < COUNT; i++) if (sorted[i] === sorted[i - 1]) collisions++;
        expect(collisions).toBeLessThan(20);
      }
    },
  );
});
