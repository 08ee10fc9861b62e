/** Three replicas as processes that share a real nats-server and know nothing else of each other. */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { runs } from '../support/size';
import { until } from '../support/until';

let nats: NatsServerProcess;
let replicas: ReplicaProcess[];
const cleanUp = new CleanUp();

beforeAll(async () => {
  nats = await cleanUp.use(NatsServerProcess.start(), (it) => it.stop());
  const env = { NATS_URL: nats.url };
  replicas = await Promise.all(
    [1, 2, 3].map((i) => cleanUp.use(ReplicaProcess.start({ env, host: `127.0.0.${i}` }), (it) => it.kill())),
  );
});

afterAll(() => cleanUp.run());

interface Answer {
  readonly status: string;
  readonly error: { code: number; reason: string } | null;
  readonly data: { ip: string; queued_req_num: number; prompt_length: number; updated_time: number }[] | null;
}

async function call(replica: number, method: string, path: string, body?: object): Promise<Answer> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const response = await fetch(`${replicas[replica]!.url}${path}`, init);
  return (await response.json()) as Answer;
}

async function rowsAt(
  replica: number,
  cluster: string,
): Promise<[ip: string, queued: number, prompt: number][]> {
  const { data } = await call(replica, 'GET', `/v1/load/stats?cluster=${cluster}`);
  return data!.map((row) => [row.ip, row.queued_req_num, row.prompt_length]);
}

/** Within a second on an idle machine, which the output shows; other work on the same cores must not fail a test. */
async function allSee(cluster: string, rows: [string, number, number][]): Promise<void> {
  const started = performance.now();
  await until(
    async () => {
      const seen = await Promise.all([0, 1, 2].map((replica) => rowsAt(replica, cluster)));
      return seen.every((each) => JSON.stringify(each) === JSON.stringify(rows));
    },
    { describe: `all replicas show ${JSON.stringify(rows)}` },
  );
  process.stdout.write(
    `all replicas agree on ${cluster} after ${Math.round(performance.now() - started)} ms\n`,
  );
}

test('I1 I5: an add at one, a prompt-delete at a second and a delete at the third are seen by all within a second', async () => {
  const request_id = randomUUID();
  const add = { cluster: 'walk', request_id, prompt_length: 512, ip: '10.0.0.7', timestamp: 1732222222123 };
  expect((await call(0, 'POST', '/v1/load/stats', add)).status).toBe('OK');
  expect(await rowsAt(0, 'walk')).toEqual([['10.0.0.7', 1, 512]]);
  await allSee('walk', [['10.0.0.7', 1, 512]]);
  expect((await call(1, 'DELETE', '/v1/load/prompt', { request_id })).status).toBe('OK');
  expect(await rowsAt(1, 'walk')).toEqual([['10.0.0.7', 1, 0]]);
  await allSee('walk', [['10.0.0.7', 1, 0]]);
  expect((await call(2, 'DELETE', '/v1/load/stats', { request_id })).status).toBe('OK');
  expect(await rowsAt(2, 'walk')).toEqual([['10.0.0.7', 0, 0]]);
  await allSee('walk', [['10.0.0.7', 0, 0]]);
});

test('a resend at another replica counts once, a different report of the same id is refused, deletes are known everywhere', async () => {
  const add = { cluster: 'resend', request_id: randomUUID(), prompt_length: 9, ip: '10.0.0.1' };
  const stamped = { ...add, timestamp: 1732222222123456 };
  await call(0, 'POST', '/v1/load/stats', stamped);
  await allSee('resend', [['10.0.0.1', 1, 9]]);
  expect((await call(1, 'POST', '/v1/load/stats', stamped)).status).toBe('OK');
  expect((await call(2, 'POST', '/v1/load/stats', { ...stamped, timestamp: 5 })).error?.code).toBe(40001000);
  expect((await call(2, 'POST', '/v1/load/stats', add)).error?.code).toBe(40001000);
  await call(1, 'DELETE', '/v1/load/stats', { request_id: add.request_id });
  await allSee('resend', [['10.0.0.1', 0, 0]]);
  const again = await call(2, 'DELETE', '/v1/load/stats', { request_id: add.request_id });
  expect(again.error?.code).toBe(40001404);
  expect((await call(0, 'POST', '/v1/load/stats', stamped)).error?.code).toBe(40001000);
});

test('I2: a DELETE that overtakes its POST is accepted, and honoured at every replica when the POST arrives', async () => {
  const request_id = randomUUID();
  expect((await call(0, 'DELETE', '/v1/load/stats', { request_id })).status).toBe('OK');
  expect((await call(0, 'DELETE', '/v1/load/stats', { request_id })).error?.code).toBe(40001404);
  const add = { cluster: 'overtaken', request_id, prompt_length: 3, ip: '10.0.0.1' };
  expect((await call(1, 'POST', '/v1/load/stats', add)).status).toBe('OK');
  await allSee('overtaken', [['10.0.0.1', 0, 0]]);
});

const RACES = runs(3_000);

test(`I1 I2: ${RACES} racing lifecycles, each call to a different replica, leave every row of every replica at zero`, async () => {
  const lifecycle = async (n: number): Promise<void> => {
    const request_id = randomUUID();
    const ip = `10.0.1.${n % 8}`;
    const add = { cluster: 'race', request_id, prompt_length: n, ip, timestamp: n };
    await Promise.all([
      call(n % 3, 'POST', '/v1/load/stats', add),
      call((n + 1) % 3, 'DELETE', '/v1/load/prompt', { request_id }),
      call((n + 2) % 3, 'DELETE', '/v1/load/stats', { request_id }),
    ]);
  };
  for (let n = 0; n < RACES; n += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => lifecycle(n + i)));
  }
  await allSee(
    'race',
    Array.from({ length: 8 }, (_, i) => [`10.0.1.${i}`, 0, 0]),
  );
});

test('people can tap the events, and what outsiders publish is checked: rubbish changes no row, a true event counts', async () => {
  const tap = await tapOf(nats);
  const request_id = randomUUID();
  const body = `{"cluster":"tap","request_id":"${request_id}","prompt_length":512,"ip":"10.0.0.9","timestamp":1732222222123456789}`;
  await fetch(`${replicas[0]!.url}/v1/load/stats`, { method: 'POST', body });
  await until(() => tap.text().includes(request_id), { describe: 'the tap shows the event' });
  expect(tap.text()).toMatch(
    new RegExp(
      `metadata-center\\.load\\.add [^]*\\{"v":1,"type":"add","origin":"[^"]+","seq":\\d+,"time_us":\\d+,"request_id":"${request_id}","cluster":"tap","ip":"10\\.0\\.0\\.9","prompt_length":512,"timestamp":1732222222123456789\\}`,
    ),
  );
  const now = Date.now() * 1000;
  const event = {
    v: 1,
    type: 'add',
    origin: 'outsider',
    seq: 1,
    time_us: now,
    request_id: 'o-1',
    cluster: 'tap',
    ip: '10.0.0.10',
    prompt_length: 1,
  };
  for (const payload of [
    '',
    'rubbish',
    '{}',
    '[]',
    JSON.stringify({ ...event, ip: 'x' }),
    JSON.stringify({ ...event, prompt_length: -1 }),
  ]) {
    tap.publish('metadata-center.load.add', payload);
  }
  tap.publish('metadata-center.load.add', JSON.stringify({ ...event, v: 2, seq: 2 }));
  tap.publish('metadata-center.load.add', JSON.stringify(event));
  await allSee('tap', [
    ['10.0.0.9', 1, 512],
    ['10.0.0.10', 1, 1],
  ]);
  const metrics = await (await fetch(`${replicas[1]!.url}/metrics`)).text();
  expect(metrics).toMatch(/metacenter_events_dropped_total\{reason="not-json"\} [1-9]/);
  expect(metrics).toMatch(/metacenter_events_dropped_total\{reason="ip"\} 1/);
});

/** What `nats sub 'metadata-center.>'` does, by the text protocol. */
async function tapOf(
  server: NatsServerProcess,
): Promise<{ text(): string; publish(subject: string, payload: string): void }> {
  const socket = connect(server.port, server.host);
  cleanUp.add(() => socket.destroy());
  let text = '';
  socket.on('data', (data) => {
    text += data.toString();
    if (data.toString().startsWith('PING')) socket.write('PONG\r\n');
  });
  socket.write('CONNECT {"verbose":false}\r\nSUB metadata-center.> 1\r\nPING\r\n');
  await until(() => text.includes('PONG'), { describe: 'the tap is subscribed' });
  return {
    text: () => text,
    publish: (subject, payload) =>
      socket.write(`PUB ${subject} ${Buffer.byteLength(payload)}\r\n${payload}\r\n`),
  };
}
