/**
 * What it costs to keep history: two clusters of three under the same load, one whose events a JetStream stream captures.
 * How long the replay of a million events takes is in replay.ts beside this, which needs minutes of its own.
 */
import { collect, LoadedCluster, type Measured } from '../cluster/loaded-cluster';
import { Collected, type Part, type Row, ratios } from '../report/rows';
import { JETSTREAM } from '../../test/support/nats-server';

const SIZE = 3;
const ROUND_MS = 2_000;

export const historyPart: Part = {
  name: 'history',
  async run({ rounds, say }) {
    const without = await LoadedCluster.start('127.79.1', SIZE);
    const kept = await LoadedCluster.start('127.79.2', SIZE, { NATS_HISTORY: 'required' }, JETSTREAM);
    const results = new Collected();
    try {
      for (let round = -1; round < rounds; round++) {
        say(round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`);
        const ways = [
          ['without', without],
          ['kept', kept],
        ] as const;
        for (const [name, cluster] of round % 2 === 0 ? ways : [...ways].reverse()) {
          const measured = await cluster.saturated(ROUND_MS);
          if (round >= 0) collect(results, name, measured);
        }
      }
    } finally {
      await Promise.all([without.stop(), kept.stop()]);
    }
    return rowsOf(results);
  },
};

function rowsOf(results: Collected): Row[] {
  const of = (way: string, name: keyof Measured): readonly number[] => results.of(`${way} ${name}`);
  const row = (name: string, unit: string, values: readonly number[], target?: Row['target']): Row => ({
    part: 'history',
    name,
    unit,
    values,
    ...(target && { target }),
  });
  return [
    row('3 replicas with history, lifecycle', 'requests/s', of('kept', 'perSecond')),
    row('its throughput', 'of without', ratios(of('kept', 'perSecond'), of('without', 'perSecond'))),
    row('its CPU per request', 'of without', ratios(of('kept', 'cpuMs'), of('without', 'cpuMs'))),
    row('its drift afterwards', 'requests', of('kept', 'drift'), { atMost: 0 }),
  ];
}
