/**
 * Gateways as processes that die, hang and go on, at three replicas: what they hold leaves the rows within their ttl, and never
 * while they renew. (How replicas come to agree on it under every trouble is shown by the simulation.)
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import { Fleet } from '../convergence/fleet';
import { exitOf, killWithParent } from '../support/child-processes';
import { CleanUp } from '../support/clean-up';
import { isFull, runs } from '../support/size';
import { until } from '../support/until';
import { JETSTREAM } from '../support/nats-server';

const DEBUG_PORT = 8081;
const TTL_MS = 3_000;
/** What a machine that does other things may take beyond that; the output shows what it was. */
const SLACK_MS = 10_000;
const HELD = runs(5_000);

let fleet: Fleet;
const cleanUp = new CleanUp();

class Gateway {
  private output = '';
  private errors = '';
  /** When the latest renewal that was answered had begun. */
  lastSignMs = 0;

  private constructor(private readonly child: ChildProcessByStdio<null, Readable, Readable>) {
    killWithParent(child);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      const renewed = [...text.matchAll(/renewed (\d+)/g)].at(-1);
      if (renewed) this.lastSignMs = Number(renewed[1]);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.errors += text));
  }

  /** Resolves when it holds all its requests. */
  static async start(owner: string, count: number, ttlMs: number, renewAt = fleet.urls): Promise<Gateway> {
    const options = { owner, ttl_ms: ttlMs, cluster: owner, count, urls: fleet.urls, renewAt };
    const script = join(__dirname, 'fake-gateway.cjs');
    const child = spawn(process.execPath, [script, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const gateway = new Gateway(child);
    cleanUp.add(() => gateway.kill());
    await until(() => gateway.output.includes('holding'), {
      describe: () => `${owner} holds ${gateway.errors}`,
    });
    return gateway;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await exitOf(this.child);
  }
}

beforeAll(async () => {
  const memberEnv = (_index: number, _folder: string, host: string) => ({
    DEBUG_HOST: host,
    DEBUG_PORT: String(DEBUG_PORT),
  });
  const env = { NATS_HISTORY: 'auto', LOG_LEVEL: 'info' };
  fleet = await cleanUp.use(Fleet.start({ size: 3, natsConfig: JETSTREAM, env, memberEnv }), (it) =>
    it.stop(),
  );
  await Gateway.start('living', 20, 5 * TTL_MS);
});

afterAll(() => cleanUp.run());

async function dataOf<T>(url: string): Promise<T> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  return ((await response.json()) as { data: T }).data;
}

async function queuedAt(url: string, cluster: string): Promise<number> {
  const rows = await dataOf<{ queued_req_num: number }[]>(`${url}/v1/load/stats?cluster=${cluster}`);
  return rows.reduce((sum, row) => sum + row.queued_req_num, 0);
}

/** Of each of the clusters, at each of the replicas. */
function queued(clusters: readonly string[], urls = fleet.urls): Promise<number[][]> {
  return Promise.all(urls.map((url) => Promise.all(clusters.map((cluster) => queuedAt(url, cluster)))));
}

async function become(
  what: string,
  clusters: readonly string[],
  counts: readonly number[],
  urls = fleet.urls,
): Promise<void> {
  let seen: number[][] = [];
  const expected = JSON.stringify(urls.map(() => counts));
  await until(
    async () => {
      seen = await queued(clusters, urls);
      return JSON.stringify(seen) === expected;
    },
    {
      describe: () => `${what}: ${JSON.stringify(seen)} is ${expected}`,
    },
  );
}

/** Looks all the while. */
async function stay(forMs: number, clusters: readonly string[], counts: readonly number[]): Promise<void> {
  const endMs = Date.now() + forMs;
  while (Date.now() < endMs) {
    expect(await queued(clusters)).toEqual(fleet.urls.map(() => counts));
    await delay(50);
  }
}

/** The service's samples of its event loop are so far apart: a loop that is never held shows this much. */
const SAMPLE_EVERY_MS = 10;

/** How long each event loop was held at most. */
async function longestHoldsMs(reset: boolean): Promise<number[]> {
  return Promise.all(
    fleet.members.map(async ({ host }) => {
      const response = await fetch(`http://${host}:${DEBUG_PORT}/debug/event-loop${reset ? '?reset=1' : ''}`);
      const { max = 0 } = (await response.json()) as { max?: number };
      return Math.max(0, Math.round(max - SAMPLE_EVERY_MS));
    }),
  );
}

test(`I13: ${HELD} requests of a gateway that is killed leave all rows within its ttl and a second, those of others stay, and those of one that was only paused come back`, async () => {
  const doomed = await Gateway.start('doomed', HELD, TTL_MS);
  const paused = await Gateway.start('paused', 20, TTL_MS);
  const clusters = ['doomed', 'paused', 'living'];
  await become('all requests are known', clusters, [HELD, 20, 20]);
  await stay(1.2 * TTL_MS, clusters, [HELD, 20, 20]);
  await longestHoldsMs(true);
  paused.signal('SIGSTOP');
  await doomed.kill();
  await become('the dead and the silent are out of the rows', ['doomed', 'living'], [0, 20]);
  const afterMs = Date.now() - doomed.lastSignMs;
  process.stdout.write(
    `${HELD} requests left all rows ${afterMs} ms after the last sign of life, ttl ${TTL_MS} ms; ` +
      `event loops were held for ${(await longestHoldsMs(false)).join(', ')} ms at most\n`,
  );
  expect(afterMs).toBeLessThan(TTL_MS + 1_000 + SLACK_MS);
  await become('the silent is out of the rows', clusters, [0, 0, 20]);
  const owners = await dataOf<object[]>(`${fleet.urls[0]!}/v1/load/owners?cluster=doomed`);
  expect(owners).toMatchObject([{ owner: 'doomed', in_flight: HELD, alive: false }]);
  paused.signal('SIGCONT');
  await become('the paused counts again', clusters, [0, 20, 20]);
});

test('I13: a replica that is cut off in silence suspends nothing, nor does its return', async () => {
  const [cut, ...others] = fleet.members;
  const renewAt = others.map(({ host }) => `http://${host}:${fleet.port}`);
  // A replica knows after 2.5 s of silence that it is cut off.
  const ttlMs = TTL_MS + 1_000;
  await Gateway.start('elsewhere', 20, ttlMs, renewAt);
  const clusters = ['elsewhere', 'living'];
  await become('all requests are known', clusters, [20, 20]);
  fleet.cutOff(cut!);
  await stay((isFull ? 3 : 1.3) * ttlMs, clusters, [20, 20]);
  fleet.heal(cut!);
  await stay(isFull ? 1.5 * ttlMs : ttlMs / 4, clusters, [20, 20]);
});

test('I4, Dynamo #14758: the end of a request that the bus drops is had from the replica that took it', async () => {
  const [, other] = fleet.members;
  const report = async (method: string, at: number): Promise<void> => {
    const body = JSON.stringify({ cluster: 'free', request_id: 'free', ip: '10.0.0.1' });
    expect((await fetch(`${fleet.urls[at]!}/v1/load/stats`, { method, body })).status).toBe(200);
  };
  await report('POST', 0);
  await become('the request is known', ['free'], [1]);
  other!.link.swallow(true);
  await report('DELETE', 1);
  expect(await queued(['free'])).toEqual([[1], [0], [1]]);
  other!.link.swallow(false);
  await become('the end has come', ['free'], [0]);
});

test('I4 I13: replicas that start anew, all at once, show from the history what counts, and nothing of the dead', async () => {
  await Promise.all(fleet.members.map(({ replica }) => replica.kill()));
  await Promise.all(fleet.members.map((member) => fleet.launch(member)));
  await Promise.all(fleet.members.map(({ replica }) => replica.ready()));
  expect(await queued(['doomed', 'living'])).toEqual(fleet.urls.map(() => [0, 20]));
});

test('I4 I13: a replica that joins shows the same from its peers the moment it is ready', async () => {
  const [joiner] = fleet.members;
  await joiner!.replica.kill();
  await fleet.launch(joiner!);
  await joiner!.replica.ready();
  expect(await queued(['doomed', 'living'])).toEqual(fleet.urls.map(() => [0, 20]));
});
