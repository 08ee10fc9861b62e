/**
 * What a select costs a replica against an add, by the processor time of the replica: among the rows of the cluster, and among
 * engines that are named. All run at the same replica, and their rounds alternate.
 */
import { closedLoop } from '../load/closed-loop';
import { Lanes } from '../load/lanes';
import { addRequest, deleteRequest, selectRequest } from '../load/requests';
import { cpuSeconds } from '../processes/process-stats';
import { startAlone } from '../processes/replicas';
import { Collected, type Part, type Row, ratios } from '../report/rows';

const ENGINES = 32;
const CLUSTER = `engines-${ENGINES}`;
const LANES = 32;
const ROUND_MS = 1_500;
const AT_MOST = 1.25;

type Way = 'add' | 'select among rows' | 'select among named';

const WAYS: readonly Way[] = ['add', 'select among rows', 'select among named'];
const REQUESTS: Readonly<Record<Way, (number: number) => string>> = {
  add: (number) => addRequest(number, CLUSTER, ENGINES),
  'select among rows': (number) => selectRequest(number, CLUSTER),
  'select among named': (number) => selectRequest(number, CLUSTER, ENGINES),
};

export const selectPart: Part = {
  name: 'select',
  async run({ rounds, say }) {
    const replica = await startAlone();
    const results = new Collected();
    let added = 0;
    let deleted = 0;
    const lanes = await Lanes.open([replica], LANES);
    /** Processor time of the replica for 1,000 of them, in milliseconds. What they left in flight is finished unmeasured. */
    const measure = async (way: Way): Promise<number> => {
      const before = cpuSeconds(replica.pid);
      const next = REQUESTS[way];
      const { tally } = await closedLoop(
        lanes,
        () => (stopping) => (stopping ? undefined : next(added++)),
        ROUND_MS,
      );
      const usedMs = (cpuSeconds(replica.pid) - before) * 1_000;
      const finish = () => (deleted < added ? deleteRequest(deleted++) : undefined);
      await closedLoop(lanes, () => finish, Infinity);
      return (usedMs * 1_000) / tally.sent;
    };
    try {
      for (let round = -1; round < rounds; round++) {
        say(round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`);
        for (const way of round % 2 === 0 ? WAYS : [...WAYS].reverse()) {
          const cpuMs = await measure(way);
          if (round >= 0) results.add(way, cpuMs);
        }
      }
    } finally {
      lanes.close();
      await replica.kill();
    }
    return rowsOf(results);
  },
};

function rowsOf(results: Collected): Row[] {
  const part = 'select';
  const nameOf = (way: Way): string => `${way}, ${ENGINES} engines`;
  return [
    ...WAYS.map((way): Row => ({
      part,
      name: `${nameOf(way)}, CPU`,
      unit: 'ms per 1,000',
      values: results.of(way),
    })),
    ...WAYS.slice(1).map((way): Row => ({
      part,
      name: `${nameOf(way)}, ratio by CPU`,
      unit: 'of an add',
      values: ratios(results.of(way), results.of('add')),
      target: { atMost: AT_MOST },
    })),
  ];
}
