/** A NATS server that takes smaller messages only than an event may be. */
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';

const cleanUp = new CleanUp();
afterEach(() => cleanUp.run());

async function behind(max: number): Promise<ReplicaProcess> {
  const nats = await cleanUp.use(NatsServerProcess.start({ config: `max_payload: ${max}` }), (it) =>
    it.stop(),
  );
  const env = { NATS_URL: nats.url, NATS_HISTORY: 'off' };
  return cleanUp.use(ReplicaProcess.start({ env }), (it) => it.kill());
}

const metricsOf = async ({ url }: ReplicaProcess): Promise<string> => (await fetch(`${url}/metrics`)).text();

test('I4 I7: an event larger than max_payload is not counted as published, and the replica says that there may be some', async () => {
  const replica = await behind(300);
  const { url } = replica;
  const warning = (): object | undefined => replica.logged(/bus trouble/);
  for (const id of ['short', 'long'.repeat(60)]) {
    const body = JSON.stringify({ cluster: 'm', request_id: id, prompt_length: 1, ip: '10.0.0.1' });
    expect((await fetch(`${url}/v1/load/stats`, { method: 'POST', body })).status).toBe(200);
  }
  const metrics = await metricsOf(replica);
  expect(metrics).toMatch(/^metacenter_events_published_total\{type="add"\} 1$/m);
  expect(metrics).toMatch(/^metacenter_events_unpublished_total\{type="add"\} 1$/m);
  expect(metrics).toMatch(/^metacenter_messages_too_large_total\{type="add"\} 1$/m);
  expect(metrics).toMatch(/^metacenter_events_kept 0$/m);
  const { data } = (await (await fetch(`${url}/readyz`)).json()) as { data: object };
  expect(data).toMatchObject({
    ready: true,
    degraded: true,
    reason: expect.stringMatching(
      /^the NATS server takes messages of 300 bytes at most \(max_payload\)/,
    ) as string,
  });
  await until(() => warning() !== undefined, { describe: 'a warning' });
  expect(warning()).toMatchObject({ kind: 'max-payload' });
});

test('I7: a heartbeat larger than max_payload is counted as such', async () => {
  const replica = await behind(100);
  const counted = /^metacenter_messages_too_large_total\{type="heartbeat"\} [1-9]/m;
  await until(async () => counted.test(await metricsOf(replica)), { describe: 'a heartbeat is counted' });
});
