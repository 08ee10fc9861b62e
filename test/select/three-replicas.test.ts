/** Selects at three replicas as processes, over a real nats-server that is killed, while one of them is killed too. */
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { Fleet } from '../convergence/fleet';
import type { Row } from '../http/client';
import { CleanUp } from '../support/clean-up';
import { seededRandom } from '../support/seeded-random';
import { until } from '../support/until';

const cleanUp = new CleanUp();
const agent = new Agent({ keepAlive: true, maxSockets: 16 });
let fleet: Fleet;

beforeAll(async () => {
  fleet = await cleanUp.use(Fleet.start({ size: 3 }), (it) => it.stop());
  cleanUp.add(() => agent.destroy());
});

afterAll(() => cleanUp.run());

interface Answer {
  readonly status: number;
  readonly code: number;
  readonly data: unknown;
}

interface Selected extends Row {
  readonly repeated: boolean;
  readonly degraded: boolean;
}

function call(url: string, method: string, path: string, body?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = { 'Content-Length': Buffer.byteLength(text) };
    request(url + path, { method, agent, headers }, (response) => {
      let answer = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { error, data } = JSON.parse(answer) as { error: { code: number } | null; data: unknown };
        resolve({ status: response.statusCode!, code: error?.code ?? 0, data });
      });
    })
      .on('error', reject)
      .end(text);
  });
}

const select = (url: string, body: object): Promise<Answer> => call(url, 'POST', '/v1/load/select', body);
const finish = async (url: string, request_id: string): Promise<void> => {
  expect(await call(url, 'DELETE', '/v1/load/stats', { request_id })).toMatchObject({ code: 0 });
};
const engines = (count: number): string[] => Array.from({ length: count }, (_, i) => `10.0.0.${i + 1}`);
const urlOf = (n: number): string => fleet.urls[n % fleet.urls.length]!;

async function rowsAt(url: string, cluster: string): Promise<readonly Row[]> {
  return (await call(url, 'GET', `/v1/load/stats?cluster=${cluster}`)).data as Row[];
}

/** What a gateway knows of a request that it sent to `ip`. */
interface Booking {
  readonly id: string;
  readonly ip: string;
  readonly prompt: number;
}

/** Waits until the rows of every replica are a recount of `bookings` (I2, I10). */
async function areRecount(cluster: string, bookings: readonly Booking[]): Promise<void> {
  const counted = new Map<string, [queued: number, prompt: number, prefill: number]>();
  for (const { ip, prompt } of bookings) {
    const [queued, tokens, prefill] = counted.get(ip) ?? [0, 0, 0];
    counted.set(ip, [queued + 1, tokens + prompt, prefill + 1]);
  }
  const expected = JSON.stringify([...counted].sort());
  let seen = '';
  await until(
    async () => {
      for (const url of fleet.urls) {
        const busy = (await rowsAt(url, cluster)).filter(
          (row) => row.queued_req_num + row.prompt_length + row.prefill_req_num > 0,
        );
        seen = JSON.stringify(
          busy
            .map((row) => [row.ip, [row.queued_req_num, row.prompt_length, row.prefill_req_num]] as const)
            .sort(),
        );
        if (seen !== expected) return false;
      }
      return true;
    },
    { describe: () => `${cluster}: every replica shows ${expected}, not ${seen}` },
  );
}

async function finishAll(cluster: string, bookings: readonly Booking[]): Promise<void> {
  await Promise.all(bookings.map(({ id }, i) => finish(urlOf(i), id)));
  await areRecount(cluster, []);
}

async function metricAt(url: string, name: string): Promise<number> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
  return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length));
}

async function sumOf(name: string): Promise<number> {
  const each = await Promise.all(fleet.urls.map((url) => metricAt(url, name)));
  return each.reduce((sum, value) => sum + value, 0);
}

const BURST = 512;
const ENGINES = 32;
const REQUEST_COST = 128;

type Gateway = (cluster: string, id: string, prompt: number, n: number) => Promise<string>;

const bySelect: Gateway = async (cluster, request_id, prompt_length, n) => {
  const body = { cluster, request_id, prompt_length, candidates: engines(ENGINES) };
  const { code, data } = await select(urlOf(n), body);
  expect(code).toBe(0);
  return (data as Selected).ip;
};

/** The least of what it reads, the first of equals by a hash of its own, as a careful gateway does. */
const byGetAndPost: Gateway = async (cluster, request_id, prompt_length, n) => {
  const read = new Map((await rowsAt(urlOf(n), cluster)).map((row) => [row.ip, row]));
  const costOf = (ip: string): number =>
    (read.get(ip)?.prompt_length ?? 0) + REQUEST_COST * (read.get(ip)?.queued_req_num ?? 0);
  const all = engines(ENGINES);
  const own = all.map((_, i) => all[(i + 7 * n) % ENGINES]!);
  const ip = own.reduce((best, each) => (costOf(each) < costOf(best) ? each : best));
  const add = { cluster, request_id, prompt_length, ip };
  expect(await call(urlOf(n), 'POST', '/v1/load/stats', add)).toMatchObject({ code: 0 });
  return ip;
};

/** As fast as the connections carry them; answers by how much the fullest engine exceeds the mean, in tokens of cost. */
async function burst(cluster: string, gateway: Gateway): Promise<number> {
  const random = seededRandom(15);
  const prompts = Array.from({ length: BURST }, () => Math.floor(random() * 4_000));
  const bookings: Booking[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let n = next++; n < BURST; n = next++) {
      const id = `${cluster}-${n}`;
      const prompt = prompts[n]!;
      bookings.push({ id, prompt, ip: await gateway(cluster, id, prompt, n) });
    }
  };
  await Promise.all(Array.from({ length: 48 }, lane));
  await areRecount(cluster, bookings);
  const costs = (await rowsAt(urlOf(0), cluster)).map(
    (row) => row.prompt_length + REQUEST_COST * row.queued_req_num,
  );
  await finishAll(cluster, bookings);
  const mean = costs.reduce((sum, cost) => sum + cost, 0) / ENGINES;
  return Math.max(...costs) / mean;
}

test(`I10 I2: a burst of ${BURST} selects spread over three replicas leaves no engine far above the mean, where GET and POST do`, async () => {
  const selected = await burst('burst-select', bySelect);
  const posted = await burst('burst-get-post', byGetAndPost);
  process.stdout.write(
    `burst of ${BURST} over ${ENGINES} engines, max/mean: select ${selected.toFixed(2)}, GET and POST ${posted.toFixed(2)}\n`,
  );
  expect(selected).toBeLessThan(1.4);
  expect(selected).toBeLessThan(posted);
  // One of several looks at its share, so that they do not herd.
  const looked = await sumOf('metacenter_select_engines_considered_total');
  const booked = await sumOf('metacenter_selects_total{result="booked"}');
  expect(booked).toBe(BURST);
  expect(looked / booked).toBeLessThan(ENGINES);
});

test('I10: a resend at another replica gets the engine on record, and counts once everywhere', async () => {
  const body = {
    cluster: 'resend',
    request_id: 'resend',
    prompt_length: 9,
    candidates: engines(8),
    timestamp: 1732222222123456,
  };
  const first = await select(urlOf(0), body);
  expect(first).toMatchObject({ code: 0, data: { repeated: false, booked: true } });
  const { ip } = first.data as Selected;
  await areRecount('resend', [{ id: 'resend', ip, prompt: 9 }]);
  for (const url of fleet.urls) {
    // The candidates say nothing about where it is.
    const again = await select(url, { ...body, candidates: ['10.0.9.9'] });
    expect(again).toMatchObject({ code: 0, data: { ip, queued_req_num: 1, repeated: true, booked: true } });
  }
  expect(await select(urlOf(1), { ...body, timestamp: 5 })).toMatchObject({ status: 400, code: 40001000 });
  await finishAll('resend', [{ id: 'resend', ip, prompt: 9 }]);
});

test('I10 I4: a replica killed between choice and answer, and before it has caught up, costs no exact row', async () => {
  const victim = fleet.members[2]!;
  const others = fleet.urls.slice(0, 2);
  const bookings: Booking[] = [];
  const unanswered: string[] = [];
  const cluster = 'killed';

  // A gateway that does not get to read its answer: the booking is out, as the others show.
  const deaf = connect(fleet.port, victim.host).pause();
  cleanUp.add(() => deaf.destroy());
  deaf.on('error', () => undefined);
  const unread = JSON.stringify({ cluster, request_id: 'unread', prompt_length: 7, candidates: engines(8) });
  deaf.write(`POST /v1/load/select HTTP/1.1\r\nHost: x\r\nContent-Length: ${unread.length}\r\n\r\n${unread}`);
  await until(async () => (await rowsAt(others[0]!, cluster)).some((row) => row.queued_req_num === 1), {
    describe: 'the booking is at another replica',
  });
  unanswered.push('unread');

  // Many more at the moment of the kill: chosen, booked, told to the others or not, answered or not.
  const sent = Array.from({ length: 200 }, async (_, n) => {
    const id = `killed-${n}`;
    try {
      const body = { cluster, request_id: id, prompt_length: n, candidates: engines(8) };
      const { code, data } = await select(urlOf(2), body);
      expect(code).toBe(0);
      bookings.push({ id, prompt: n, ip: (data as Selected).ip });
    } catch {
      unanswered.push(id);
    }
    if (n === 60) victim.replica.signal('SIGKILL');
  });
  await Promise.all(sent);
  await victim.replica.exited();
  deaf.destroy();
  expect(bookings.length).toBeGreaterThan(60);
  expect(unanswered.length).toBeGreaterThan(1);

  for (const [i, id] of unanswered.entries()) {
    const url = others[i % 2]!;
    await finish(url, id);
    const body = { cluster, request_id: `${id}-again`, prompt_length: 1, candidates: engines(8) };
    const again = await select(url, body);
    expect(again).toMatchObject({ code: 0, data: { repeated: false } });
    bookings.push({ id: `${id}-again`, prompt: 1, ip: (again.data as Selected).ip });
  }

  // Back, but without the bus and so with an empty view: it sends gateways on, and books nothing.
  victim.link.swallow(true);
  await fleet.launch(victim);
  await victim.replica.healthy();
  const early = { cluster, request_id: 'early', candidates: engines(8) };
  expect(await select(urlOf(2), early)).toMatchObject({ status: 503, code: 50301000, data: null });
  fleet.heal(victim);
  await victim.replica.ready();
  await areRecount(cluster, bookings);
  await finishAll(cluster, bookings);
});

test('I6 I11: without NATS each replica selects and says that it is degraded; what that books past max_queued is counted when it arrives', async () => {
  const cluster = 'cut';
  const candidates = engines(2);
  const max_queued = 4;
  const over = (): Promise<number[]> =>
    Promise.all(fleet.urls.map((url) => metricAt(url, 'metacenter_select_over_limit_total')));
  const before = await over();
  await fleet.nats.kill();
  const bookings: Booking[] = [];
  await Promise.all(
    fleet.urls.map((url) =>
      until(async () => (await (await fetch(`${url}/readyz`)).text()).includes('"connected":false'), {
        describe: `${url} has noticed`,
      }),
    ),
  );
  for (const [i, url] of fleet.urls.entries()) {
    for (let n = 0; n < candidates.length * max_queued; n++) {
      const id = `cut-${i}-${n}`;
      const answer = await select(url, { cluster, request_id: id, candidates, max_queued });
      expect(answer).toMatchObject({ code: 0, data: { booked: true, degraded: true } });
      bookings.push({ id, prompt: 0, ip: (answer.data as Selected).ip });
    }
    // Exact at one replica.
    const full = { cluster, request_id: `cut-${i}-full`, candidates, max_queued };
    expect(await select(url, full)).toMatchObject({ status: 429, code: 42901000 });
  }
  await fleet.nats.run();
  await areRecount(cluster, bookings);
  // The last one to book counts all that the two others had booked on both engines, however late that came.
  const counted = (await over()).map((count, i) => count - before[i]!);
  expect(counted[2]).toBe(2 * candidates.length * max_queued);
  expect(Math.max(...counted)).toBe(counted[2]);
  await finishAll(cluster, bookings);
});
