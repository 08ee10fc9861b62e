/** What a replica says of reports that it took, and that nobody else will hear of, since it stops. */
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess } from '../support/nats-server';
import { type LogLine, ReplicaProcess } from '../support/replica-process';
import { SwallowingProxy } from '../support/swallowing-proxy';

const cleanUp = new CleanUp();
afterEach(() => cleanUp.run());

async function start(): Promise<{ nats: NatsServerProcess; link: SwallowingProxy; replica: ReplicaProcess }> {
  const nats = await cleanUp.use(NatsServerProcess.start(), (it) => it.stop());
  const link = await cleanUp.use(SwallowingProxy.start(nats.port), (it) => it.stop());
  const env = { NATS_URL: `nats://127.0.0.1:${link.port}`, NATS_HISTORY: 'off' };
  const replica = await cleanUp.use(ReplicaProcess.start({ env }), (it) => it.kill());
  await replica.hasLogged('bus connected');
  return { nats, link, replica };
}

const trouble = ({ log }: ReplicaProcess, kind: string): LogLine | undefined =>
  log.find((line) => line['msg'] === 'bus trouble' && line['kind'] === kind);

async function report({ url }: ReplicaProcess, id: string): Promise<void> {
  const body = JSON.stringify({ cluster: 'c', request_id: id, ip: '10.0.0.1' });
  expect((await fetch(`${url}/v1/load/stats`, { method: 'POST', body })).status).toBe(200);
}

test('I4: a replica that stops while the bus takes nothing says that its last reports may be lost', async () => {
  const { link, replica } = await start();
  link.swallow(true);
  await report(replica, 'unheard');
  expect(await replica.stop()).toEqual({ code: 0, signal: null });
  expect(trouble(replica, 'unconfirmed')).toMatchObject({
    level: 'warn',
    detail: expect.stringMatching(
      /stopped, and what was sent last may not have arrived: no answer/,
    ) as string,
  });
});

test('I4: a replica that stops while the bus is away says how many events it has not published', async () => {
  const { nats, replica } = await start();
  await nats.kill();
  await replica.hasLogged('bus lost');
  for (const id of ['a', 'b', 'c']) await report(replica, id);
  expect(await replica.stop()).toEqual({ code: 0, signal: null });
  expect(trouble(replica, 'write')).toMatchObject({
    detail: 'stopped, and 3 events were never published',
  });
});
