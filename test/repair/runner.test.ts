import pino from 'pino';
import { CausalContext } from '../../src/core/causal-context';
import { LoadStats } from '../../src/core/load-stats';
import { snapshotLines } from '../../src/core/snapshot';
import { SnapshotMerge } from '../../src/core/snapshot-merge';
import { InProcessBus, InProcessHub } from '../../src/bus/in-process-bus';
import { SparseLines } from '../../src/observability/sparse-lines';
import { digestsOf } from '../../src/repair/digests';
import { Repair } from '../../src/repair/repair';
import { repairOptions } from '../../src/repair/repair-options';
import { RepairRunner } from '../../src/repair/runner';
import { contextOptions } from '../../src/replication/limits';
import { until } from '../support/until';
import { viewOptions } from '../support/view-options';

const OPTIONS = viewOptions();
const CONTEXT = contextOptions(OPTIONS);
const NOW = 10_000_000_000;

it('a replica that starts goes on as soon as what it waits for has come, not at the next tick (I4)', async () => {
  const self = { replica: 'own', deployment: 'prod', speaks: 1 };
  const source = { ...self, replica: 'peer', ready: true };
  const [stats, shown] = [new LoadStats(OPTIONS), new LoadStats(OPTIONS)];
  const [context, claimed] = [new CausalContext(CONTEXT), new CausalContext(CONTEXT)];
  const request = { type: 'add', requestId: 'r', cluster: 'm', ip: '10.0.0.1', promptLength: 7 } as const;
  shown.apply({ ...request, origin: 'peer', seq: 1, timeUs: NOW, timestampNs: undefined }, NOW);
  claimed.observe('peer', 1, NOW, NOW);
  const bus = new InProcessBus(new InProcessHub(), () => undefined);
  const repair = new Repair(self, stats, context, () => 0.5, repairOptions(OPTIONS));
  const becameReady: string[] = [];
  const runner = new RepairRunner({
    repair,
    bus,
    client: {
      status: () =>
        Promise.resolve({ ...source, timeUs: NOW, context: claimed.copy(), digests: digestsOf(shown, NOW) }),
      snapshot: (_address, selection, onLine) => {
        for (const line of snapshotLines(shown, claimed, source, selection)) onLine(line);
        return Promise.resolve();
      },
    },
    surroundings: () => ({ busConnected: true, peersKnown: true, history: 'none' }),
    replayHistory: () => false,
    onReady: () => becameReady.push(stats.engines.rowsJson('m')),
    onTooLarge: () => undefined,
    nowUs: () => NOW,
    // Time stands still, and nobody ticks.
    monotonicUs: () => 0,
    logger: pino({ level: 'silent' }),
    lines: new SparseLines(() => 0),
    newMerge: () => new SnapshotMerge(stats, CONTEXT, self),
  });
  runner.setPeers(['10.1.0.2']);
  await until(() => repair.joining.caughtUp, { describe: 'it has caught up' });
  expect(becameReady).toEqual([expect.stringContaining('"prompt_length":7')]);
});
