/** Replicas that are stopped and replaced while gateways report: whatever was answered 200 is at the others. */
import { Agent, request } from 'node:http';
import { Fleet } from '../convergence/fleet';
import { Workload } from '../convergence/workload';
import { CleanUp } from '../support/clean-up';
import { seededRandom } from '../support/seeded-random';
import { isFull, runs } from '../support/size';
import { until } from '../support/until';

// One fleet for all: each test leaves three replicas that run.
let fleet: Fleet;
const atEnd = new CleanUp();
const cleanUp = new CleanUp();

beforeAll(async () => {
  const env = { METADATA_CENTER_READY_TIMEOUT: '5s', LOG_LEVEL: 'info' };
  fleet = await atEnd.use(Fleet.start({ size: 3, env }), (it) => it.stop());
});

afterAll(() => atEnd.run());

afterEach(() => cleanUp.run());

/** Answers the status. */
function add(url: string, cluster: string, id: string, agent: Agent): Promise<number | undefined> {
  const body = `{"cluster":"${cluster}","request_id":"${id}","ip":"10.0.0.1","prompt_length":1}`;
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Length': Buffer.byteLength(body) };
    request(`${url}/v1/load/stats`, { method: 'POST', agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    })
      .on('error', reject)
      .end(body);
  });
}

async function queuedAt(url: string, cluster: string): Promise<number> {
  const response = await fetch(`${url}/v1/load/stats?cluster=${cluster}`);
  const { data } = (await response.json()) as { data: { queued_req_num: number }[] };
  return data[0]?.queued_req_num ?? 0;
}

it.each(isFull ? [1, 2, 3, 4, 5] : [1, 5])(
  'I4: SIGTERM under load loses no report that the stopping replica has answered 200 (run %i)',
  async (run) => {
    const cluster = `stop-${run}`;
    const [target, ...others] = fleet.members.map(({ replica }) => replica.url);
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    const refused: unknown[] = [];
    let accepted = 0;
    let failed = 0;
    let sending = true;
    cleanUp.add(() => {
      sending = false;
      agent.destroy();
    });
    const lane = async (name: number): Promise<void> => {
      for (let n = 0; sending; n++) {
        try {
          const status = await add(target!, cluster, `${run}-${name}-${n}`, agent);
          if (status === 200) accepted++;
          else refused.push(status);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return;
          // A connection that was closed as the report was sent: no answer, so a gateway sends it to the next replica.
          failed++;
        }
      }
    };
    const lanes = Array.from({ length: 32 }, (_, name) => lane(name));
    await until(() => accepted > runs(300) * run, { describe: 'load runs' });
    fleet.members[0]!.replica.signal('SIGTERM');
    expect(await fleet.members[0]!.replica.exited()).toEqual({ code: 0, signal: null });
    sending = false;
    await Promise.all(lanes);
    expect(refused).toEqual([]);
    for (const url of others) {
      await until(async () => (await queuedAt(url, cluster)) >= accepted, {
        timeoutMs: 10_000,
        describe: `${url} has the ${accepted} reports that were accepted`,
      });
      expect(await queuedAt(url, cluster)).toBeLessThanOrEqual(accepted + failed);
    }
    await fleet.launch(fleet.members[0]!);
    await fleet.members[0]!.replica.ready();
  },
);

it('I1 I2 I4: a rolling restart of three replicas under load: the others refuse no report, and all rows are exact after', async () => {
  const load = new Workload(seededRandom(7), fleet.urls);
  cleanUp.add(() => load.close());
  load.start(runs(12));
  await load.more(runs(500), 'load runs');
  for (const member of fleet.members) {
    member.replica.signal('SIGTERM');
    expect(await member.replica.exited()).toEqual({ code: 0, signal: null });
    await load.more(runs(300), 'the others go on');
    await fleet.launch(member);
    await member.replica.ready();
    await load.more(100, 'all three take reports');
  }
  await load.stop();
  const ms = await load.converged(fleet.urls, 5_000);
  process.stdout.write(`rolling restart: ${load.reports} reports, equal ${ms} ms after the last one\n`);
  expect(load.refused).toEqual([]);
});
