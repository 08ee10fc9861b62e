/**
 * What reports cost a replica in batches against calls of their own, by the processor time of the replica: the same lives, an
 * add, a prompt-delete and a delete each. Alone, and as one of two, where each event is written for the bus besides.
 */
import { closedLoop, type Script } from '../load/closed-loop';
import { Lanes } from '../load/lanes';
import { addRequest, batchRequest, deleteRequest, promptDeleteRequest } from '../load/requests';
import { cpuSeconds } from '../processes/process-stats';
import { Replicas, startAlone } from '../processes/replicas';
import { Collected, type Part, type PartOptions, type Row, ratios } from '../report/rows';

const LANES = 16;
const ROUND_MS = 1_500;
const STEPS = [(number: number) => addRequest(number), promptDeleteRequest, deleteRequest];
/** Lives of one batch; its events are three times as many. 0: calls of their own. */
const WAYS = [0, 5, 42, 170] as const;
type Way = (typeof WAYS)[number];
/** The largest that a client of this project sends by default, and more. */
const HAS_TARGET: readonly Way[] = [42, 170];
const AT_LEAST = 4;

export const batchPart: Part = {
  name: 'batch',
  async run(options) {
    const alone = await startAlone();
    const rows = await measured('alone', alone, options).finally(() => alone.kill());
    const two = await Replicas.start('127.84.0', 2);
    const [first] = two.members;
    return [...rows, ...(await measured('one of two', first!, options).finally(() => two.stop()))];
  },
};

interface Measured {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
}

async function measured(setting: string, replica: Measured, { rounds, say }: PartOptions): Promise<Row[]> {
  const results = new Collected();
  const lanes = await Lanes.open([replica], LANES);
  let begun = 0;
  const singles = (): Script => {
    let life = 0;
    let step = STEPS.length;
    return (stopping) => {
      if (step === STEPS.length) {
        if (stopping) return undefined;
        life = begun++;
        step = 0;
      }
      return STEPS[step++]!(life);
    };
  };
  const batches = (lives: number) => (): Script => (stopping) => {
    if (stopping) return undefined;
    const first = begun;
    begun += lives;
    return batchRequest(first, lives);
  };
  /** Reports per second of the replica's processor time. */
  const measure = async (way: Way): Promise<number> => {
    const before = cpuSeconds(replica.pid);
    const { tally } = await closedLoop(lanes, way === 0 ? singles : batches(way), ROUND_MS);
    const reports = tally.sent * (way === 0 ? 1 : way * STEPS.length);
    return reports / (cpuSeconds(replica.pid) - before);
  };
  try {
    for (let round = -1; round < rounds; round++) {
      say(`${setting}: ${round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`}`);
      for (const way of round % 2 === 0 ? WAYS : [...WAYS].reverse()) {
        const perCpuSecond = await measure(way);
        if (round >= 0) results.add(nameOf(way), perCpuSecond);
      }
    }
  } finally {
    lanes.close();
  }
  return rowsOf(setting, results);
}

const nameOf = (way: Way): string => (way === 0 ? 'single calls' : `batches of ${way * STEPS.length}`);

function rowsOf(setting: string, results: Collected): Row[] {
  const part = 'batch';
  return [
    ...WAYS.map((way): Row => ({
      part,
      name: `${setting}, ${nameOf(way)}`,
      unit: 'reports per CPU s',
      values: results.of(nameOf(way)),
    })),
    ...WAYS.filter((way) => way !== 0).map((way): Row => ({
      part,
      name: `${setting}, ${nameOf(way)}, ratio`,
      unit: 'of single calls',
      values: ratios(results.of(nameOf(way)), results.of(nameOf(0))),
      ...(HAS_TARGET.includes(way) && { target: { atLeast: AT_LEAST } }),
    })),
  ];
}
