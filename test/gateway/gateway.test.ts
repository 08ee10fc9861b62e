/**
 * The gateway in use against three replicas: its bytes, its choice of replicas, its workers, its patience and its breakers, by default.
 * If a replica's breaker opens, the gateway does without that replica; if all do, it routes at random.
 */
import { CleanUp } from '../support/clean-up';
import { seededRandom } from '../support/seeded-random';
import { isFull } from '../support/size';
import { PATIENCE_MS, until } from '../support/until';
import { Fleet } from '../convergence/fleet';
import { CLUSTERS, Conversations } from './conversations';
import { Gateway } from './gateway';
import { CoreWaits, LoopHolds } from './held-up';

const LIVES = isFull ? 5_000 : 500;
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
/** What its deletes are hashed by. */
const NO_CLUSTER = '';

let fleet: Fleet;
let gateway: Gateway;
const atEnd = new CleanUp();
const cleanUp = new CleanUp();

// One fleet for both: the first test leaves it as it was.
beforeAll(async () => {
  const env = { METADATA_CENTER_REPLAY_POLICY: 'accept', LOG_LEVEL: 'info' };
  fleet = await atEnd.use(Fleet.start({ size: 3, env }), (it) => it.stop());
});

afterAll(() => atEnd.run());

beforeEach(() => {
  const hosts = fleet.members.map(({ host }) => host);
  const pidOf = (host: string): number => fleet.members.find((member) => member.host === host)!.replica.pid;
  const waits = new Map<number, CoreWaits>();
  const waitedMs = (pid: number): number => {
    let wait = waits.get(pid);
    if (!wait) waits.set(pid, (wait = new CoreWaits(pid)));
    return wait.totalMs();
  };
  const holds = new LoopHolds();
  cleanUp.add(() => holds.stop());
  gateway = new Gateway(hosts, fleet.port, (host) => holds.totalMs() + waitedMs(pidOf(host)));
  cleanUp.add(() => gateway.close());
});

afterEach(() => cleanUp.run());

function start(run: number, goesOn: (begun: number) => boolean): Conversations {
  let stopped = false;
  cleanUp.add(() => (stopped = true));
  return new Conversations(gateway, seededRandom(SEED + run), (begun) => !stopped && goesOn(begun), run);
}

/** Every row of every replica: no request and no prompt is left. */
async function rowsAreZero(): Promise<void> {
  const left = async (): Promise<string[]> => {
    const rows: string[] = [];
    for (const url of fleet.urls) {
      for (const cluster of CLUSTERS) {
        const response = await fetch(`${url}/v1/load/stats?cluster=${cluster}`);
        const { data } = (await response.json()) as {
          data: { ip: string; queued_req_num: number; prompt_length: number }[];
        };
        if (data.length === 0) rows.push(`${url} ${cluster}: no rows`);
        for (const { ip, queued_req_num, prompt_length } of data)
          if (queued_req_num !== 0 || prompt_length !== 0)
            rows.push(`${url} ${cluster} ${ip} ${queued_req_num} ${prompt_length}`);
      }
    }
    return rows;
  };
  let rows: string[] = [];
  await until(async () => (rows = await left()).length === 0, {
    describe: () => `all rows of all replicas are 0: ${rows.join('; ')}`,
  });
}

function say(what: string, { ended, routedByLoad, repeated, found }: Conversations): void {
  const { calls, failures } = gateway;
  process.stdout.write(
    `${what}: ${ended} requests, ${routedByLoad} routed by load, ${found} of ${repeated} prefixes found; ${calls} calls, ${failures} failed attempts (seed ${SEED})\n`,
  );
}

const opened = (): number[] => fleet.members.map(({ host }) => gateway.breaker(host).opened);

test(`I2 I15: ${LIVES} requests are all routed by load and by cache, no breaker opens, and every row is 0 at the end`, async () => {
  const conversations = start(1, (begun) => begun < LIVES);
  await conversations.over();
  say('the gateway in use', conversations);
  expect(gateway.refused).toEqual([]);
  expect(gateway.lost).toEqual([]);
  expect(opened()).toEqual([0, 0, 0]);
  expect([conversations.ended, conversations.routedByLoad]).toEqual([LIVES, LIVES]);
  // Where an attempt failed, the next replica may have been asked before it heard of the save.
  const { repeated, found } = conversations;
  expect(repeated).toBeGreaterThan(LIVES / 2);
  expect(repeated - found).toBeLessThanOrEqual(gateway.failures);
  await rowsAreZero();
});

test('I2 I4 I6: where the replica that all deletes go to is killed and started again, only its breaker opens, it closes again, and every row is 0 at the end', async () => {
  const victim = fleet.members.find(({ host }) => host === gateway.hostOf(NO_CLUSTER))!;
  const breaker = gateway.breaker(victim.host);
  let back = false;
  const conversations = start(2, (begun) => begun < LIVES || !back);
  await until(() => conversations.ended >= LIVES / 4, { describe: 'load runs' });
  await victim.replica.kill();
  await until(() => breaker.opened > 0, { describe: 'the breaker of the killed replica opens' });
  await fleet.launch(victim);
  await victim.replica.ready();
  await until(() => breaker.state === 'closed', {
    timeoutMs: 2 * PATIENCE_MS,
    describe: 'the breaker of the replica that is back closes',
  });
  const backAt = conversations.ended;
  await until(() => conversations.ended >= backAt + LIVES / 4, { describe: 'all three take part' });
  back = true;
  await conversations.over();
  say('one replica killed and started again', conversations);
  // What the others answer is 200; each call to the killed one is taken by the next.
  expect(gateway.refused).toEqual([]);
  expect(gateway.lost).toEqual([]);
  expect(opened().map((times) => times > 0)).toEqual(fleet.members.map((member) => member === victim));
  expect(conversations.routedByLoad).toBe(conversations.ended);
  await rowsAreZero();
});
