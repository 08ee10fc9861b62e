/** Two replicas that know of each other by a real nats-server alone: no DNS name, so no peer to fetch from. */
import { NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';

let nats: NatsServerProcess | undefined;
const replicas: ReplicaProcess[] = [];

afterAll(async () => {
  await Promise.allSettled(replicas.map((replica) => replica.kill()));
  await nats?.stop();
});

async function report(replica: ReplicaProcess, method: string, request_id: string): Promise<void> {
  const body = JSON.stringify({ cluster: 'alone', request_id, ip: '10.0.0.1', prompt_length: 7 });
  const response = await fetch(`${replica.url}/v1/load/stats`, { method, body });
  expect(response.status).toBe(200);
}

async function rows(replica: ReplicaProcess): Promise<string> {
  const response = await fetch(`${replica.url}/v1/load/stats?cluster=alone`);
  const { data } = (await response.json()) as { data: { queued_req_num: number; prompt_length: number }[] };
  return data.map((row) => `${row.queued_req_num} ${row.prompt_length}`).join();
}

test('I4 I6: what each took while nats-server was away reaches the other when it is back', async () => {
  nats = await NatsServerProcess.start();
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    replicas.push(await ReplicaProcess.start({ env: { NATS_URL: nats.url, NATS_HISTORY: 'off' }, host }));
  }
  const [a, b] = replicas as [ReplicaProcess, ReplicaProcess];
  const both = (expected: string, what: string): Promise<unknown> =>
    until(async () => (await rows(a)) === expected && (await rows(b)) === expected, {
      timeoutMs: 25_000,
      describe: what,
    });
  await report(a, 'POST', 'before');
  await both('1 7', 'the first report');

  await nats.kill();
  for (const replica of replicas) await replica.hasLogged('bus lost');
  await report(b, 'DELETE', 'before');
  await report(a, 'POST', 'at a');
  await report(b, 'POST', 'at b');
  const killed = Date.now();
  await nats.run();
  await both('2 14', 'each has what the other took alone');
  process.stdout.write(
    `without peers: equal ${Date.now() - killed} ms after nats-server was started again\n`,
  );
});

test('I6: a bus that was never there is said once, as a trouble, in a line that names the server', async () => {
  const env = { NATS_URL: 'nats://127.0.0.9:1,nats://127.0.0.9:1', METADATA_CENTER_READY_TIMEOUT: '100ms' };
  const replica = await ReplicaProcess.start({ env, host: '127.0.0.3' });
  replicas.push(replica);
  const lines = replica.log.filter(({ msg }) => /^bus /.test(String(msg)));
  expect(lines).toEqual([
    expect.objectContaining({
      msg: 'bus trouble',
      kind: 'connect',
      detail: expect.stringMatching(/^127\.0\.0\.9:1: .*ECONNREFUSED/) as string,
    }),
  ]);
});
