/**
 * What it saves a replica when gateways hold the stream of rows open in the place of asking for them: the processor time of
 * one replica under the same reports, with as many gateways that ask before each request as watching ones.
 */
import { get, type ClientRequest } from 'node:http';
import { startAlone } from '../processes/replicas';
import { cpuSeconds } from '../processes/process-stats';
import { Lanes } from '../load/lanes';
import { openLoop } from '../load/open-loop';
import { addRequest, deleteRequest, queryPath, queryRequest } from '../load/requests';
import { Collected, type Part, type Row, ratios } from '../report/rows';

const READERS = [1, 10, 100];
const INTERVAL_MS = 100;
const ROUND_MS = 3_000;
/** What a gateway routes, and so how often it asks. */
const REQUESTS_PER_GATEWAY = 50;
/** Reports per second: adds and their deletes. The same for all, so that only the readers differ. */
const REPORTS = 500;
const REPORT_LANES = 4;

type Way = 'nobody' | 'asking' | 'watching';

export const watchPart: Part = {
  name: 'watch',
  async run({ rounds, say }) {
    const replica = await startAlone();
    const results = new Collected();
    let reported = 0;
    /** Processor time of the replica per second, in milliseconds. */
    const measure = async (way: Way, readers: number): Promise<number> => {
      const reports = await Lanes.open([replica], REPORT_LANES);
      const streams = way === 'watching' ? await openStreams(replica.url, readers) : [];
      const polls = way === 'asking' ? await Lanes.open([replica], readers) : undefined;
      const before = cpuSeconds(replica.pid);
      const requestOf = (): string => {
        const number = reported++;
        return number % 2 === 0 ? addRequest(number >> 1) : deleteRequest(number >> 1);
      };
      await Promise.all([
        openLoop(reports, requestOf, REPORTS, ROUND_MS),
        polls && openLoop(polls, () => queryRequest(), readers * REQUESTS_PER_GATEWAY, ROUND_MS),
      ]);
      const usedMs = (cpuSeconds(replica.pid) - before) * 1_000;
      for (const stream of streams) stream.destroy();
      polls?.close();
      reports.close();
      // Of the time that the work should take: where the machine is too slow it takes longer, but is the same work.
      return usedMs / (ROUND_MS / 1_000);
    };
    try {
      await measure('nobody', 0);
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1} of ${rounds}`);
        results.add('nobody', await measure('nobody', 0));
        for (const readers of READERS) {
          const ways: Way[] = round % 2 === 0 ? ['asking', 'watching'] : ['watching', 'asking'];
          for (const way of ways) results.add(`${readers} ${way}`, await measure(way, readers));
        }
      }
    } finally {
      await replica.kill();
    }
    return rowsOf(results);
  },
};

function rowsOf(results: Collected): Row[] {
  const unit = 'CPU ms per s';
  const part = 'watch';
  return [
    { part, name: `${REPORTS} reports/s, no reader`, unit, values: results.of('nobody') },
    ...READERS.flatMap((readers): Row[] => {
      const asking = results.of(`${readers} asking`);
      const watching = results.of(`${readers} watching`);
      return [
        { part, name: `${readers} asking, ${REQUESTS_PER_GATEWAY} times/s each`, unit, values: asking },
        { part, name: `${readers} watching`, unit, values: watching },
        {
          part,
          name: `${readers} watching over asking`,
          unit: 'of asking',
          values: ratios(watching, asking),
        },
      ];
    }),
  ];
}

/** Resolves when every stream has begun. */
function openStreams(url: string, count: number): Promise<ClientRequest[]> {
  const path = queryPath().replace('/stats', '/watch');
  const open = (): Promise<ClientRequest> =>
    new Promise((resolve, reject) => {
      const request = get(`${url}${path}&interval_ms=${INTERVAL_MS}`, { agent: false }, (response) => {
        response.resume();
        response.on('error', () => undefined);
        resolve(request);
      });
      request.on('error', reject);
    });
  return Promise.all(Array.from({ length: count }, open));
}
