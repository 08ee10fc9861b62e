/** Memory per request, counted by the collector in a process of its own; the bounds leave room for another Node. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const COUNT = 100_000;

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
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', '-e', MEASURE, join(__dirname, '../../dist')],
    { encoding: 'utf8', timeout: 60_000 },
  );
  expect(stderr).toBe('');
  const [inFlight, finished] = JSON.parse(stdout) as { bytes: number; inFlight: number; finished: number }[];
  expect(inFlight!.inFlight).toBe(COUNT);
  expect(finished!.finished).toBe(COUNT);
  expect(inFlight!.bytes).toBeLessThan(300);
  expect(finished!.bytes).toBeLessThan(80);
});
