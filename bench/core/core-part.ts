/** The pure core and the codec without any I/O, at three sizes, each in a fresh process. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Collected, type Part, type Row } from '../report/rows';
import type { CoreMeasures } from './core-run';

const SIZES = [10_000, 100_000, 1_000_000];
/** Processes of the largest size take seconds. */
const MOST_ROUNDS = 3;

export const corePart: Part = {
  name: 'core',
  run({ rounds, say }) {
    const results = new Collected();
    for (let round = 0; round < Math.min(rounds, MOST_ROUNDS); round++) {
      for (const size of SIZES) {
        say(`${size.toLocaleString('en')} in flight, round ${round + 1}`);
        for (const [name, value] of Object.entries(measure(size))) {
          results.add(`${size} ${name}`, value as number);
        }
      }
    }
    return Promise.resolve(SIZES.flatMap((size) => rowsOf(size, results)));
  },
};

function measure(inFlight: number): CoreMeasures {
  const args = ['--expose-gc', join(__dirname, 'core-run.js'), String(inFlight)];
  const { stdout, status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as CoreMeasures;
}

function rowsOf(size: number, results: Collected): Row[] {
  const largest = size === SIZES.at(-1);
  const row = (measure: keyof CoreMeasures, name: string, unit: string, target?: Row['target']): Row => ({
    part: 'core',
    name: `${name}, ${size.toLocaleString('en')} in flight`,
    unit,
    values: results.of(`${size} ${measure}`),
    ...(target && { target }),
  });
  return [
    row('eventNs', 'apply an event of a life', 'ns', { atMost: 1_000 }),
    row('addNs', 'apply an add', 'ns'),
    row('promptDeleteNs', 'apply a prompt-delete', 'ns'),
    row('deleteNs', 'apply a delete', 'ns'),
    row('expireNs', 'expire a request', 'ns'),
    row('queryNs', 'rows of 16 engines as JSON, one changed', 'ns'),
    row('mergeNs', 'merge a snapshot record', 'ns'),
    row('encodeNs', 'encode an add', 'ns'),
    row('decodeNs', 'decode an add', 'ns'),
    row('bytesPerRequest', 'heap of a request in flight', 'bytes', largest ? { atMost: 400 } : undefined),
    row('bytesPerFinished', 'memory of a finished id', 'bytes'),
    row('expiryHoldMs', 'longest hold by expiry', 'ms', largest ? { atMost: 10 } : undefined),
    row('snapshotHoldMs', 'longest hold by a snapshot', 'ms', largest ? { atMost: 10 } : undefined),
    row('growthHoldMs', 'longest 50 adds while tables grow', 'ms'),
    row('gcHoldMs', 'longest garbage collection while it grows', 'ms'),
  ];
}
