/** Memory per request and per entry of the prefix cache, counted by the collector in a process of its own; the bounds leave room for another Node. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const COUNT = 100_000;

/** What a script prints, run with the collector at hand and the folder of the build as its argument. */
function measured(script: string): unknown {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', '-e', script, join(__dirname, '../../dist')],
    { encoding: 'utf8', timeout: 120_000 },
  );
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

/** Runs in a fresh process, on the build: says the bytes per request in flight, and per finished one. */
const MEASURE = `
const { LoadStats } = require(process.argv[1] + '/core/load-stats');
const { loadStatsOptions } = require(process.argv[1] + '/replication/limits');
const { newFingerprinting } = require(process.argv[1] + '/composition/fingerprinting');
const now = 1_700_000_000_000_000;
const used = () => { gc(); const { heapUsed, arrayBuffers } = process.memoryUsage(); return heapUsed + arrayBuffers; };
const newView = () => new LoadStats(loadStatsOptions({
  expireAfterMs: 600_000, finishedRetentionMs: 60_000, maxInFlight: 1_000_000, maxEngines: 1_000,
}, newFingerprinting()));
const idOf = (n) => Buffer.from('5f1c9a70-0000-4000-8000-' + String(n).padStart(12, '0')).toString();
const measure = (eventOf) => {
  const view = newView();
  const before = used();
  for (let n = 1; n <= ${COUNT}; n++) view.apply(eventOf(n), now);
  const bytes = (used() - before) / ${COUNT};
  return { bytes, inFlight: view.inFlight.size, finished: view.deletes.size };
};
const add = (n) => ({ type: 'add', origin: 'o', seq: n, timeUs: now, requestId: idOf(n), cluster: 'c' + n % 10,
  ip: '10.0.0.' + n % 16, promptLength: n, timestampNs: 1_700_000_000_000_000_000n + BigInt(n) });
const del = (n) => ({ type: 'delete', origin: 'o', seq: n, timeUs: now, requestId: idOf(n) });
process.stdout.write(JSON.stringify([measure(add), measure(del)]));
`;

it('I7: a request in flight takes at most 300 bytes of heap, a finished one at most 80', () => {
  const [inFlight, finished] = measured(MEASURE) as { bytes: number; inFlight: number; finished: number }[];
  expect(inFlight!.inFlight).toBe(COUNT);
  expect(finished!.finished).toBe(COUNT);
  expect(inFlight!.bytes).toBeLessThan(300);
  expect(finished!.bytes).toBeLessThan(80);
});

const ENTRIES = 1_000_000;

/** Twice as many entries as the index may have: the places of those that have gone count too. */
const MEASURE_CACHE = `
const { CacheIndex } = require(process.argv[1] + '/cache/cache-index');
const used = () => { gc(); const { heapUsed, arrayBuffers } = process.memoryUsage(); return heapUsed + arrayBuffers; };
const before = used();
const index = new CacheIndex({ ttlUs: 600e6, aheadUs: 60e6, maxEntries: ${ENTRIES}, maxHolders: 1_000, key: [1, 2] });
let now = 1_700_000_000_000_000;
const hashes = new Int32Array(128);
for (let n = 0; n < 2 * ${ENTRIES}; ) {
  for (let at = 0; at < hashes.length; at += 2, n++) { hashes[at] = Math.imul(n, 0x9e3779b9); hashes[at + 1] = n; }
  index.save('c', '10.0.0.' + n % 251, hashes, now += 200, now);
}
process.stdout.write(JSON.stringify({ bytes: (used() - before) / index.size, size: index.size }));
`;

it('I7 I15: an entry of a full prefix cache takes at most 32 bytes', () => {
  const { bytes, size } = measured(MEASURE_CACHE) as { bytes: number; size: number };
  process.stdout.write(`an entry of ${size} takes ${bytes.toFixed(1)} bytes\n`);
  expect(size).toBeGreaterThan(0.9 * ENTRIES);
  expect(size).toBeLessThanOrEqual(ENTRIES);
  expect(bytes).toBeLessThanOrEqual(32);
});
