/** The client against a real replica, over real sockets; where something is lost, it is what the replica has really answered. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  MetadataCenter,
  MetadataCenterError,
  type MetadataCenterOptions,
  NoEngineError,
  type Surroundings,
} from '../../src/client';
import { nodeSurroundings } from '../../src/client/surroundings';
import { call, post, rows } from '../http/client';
import { type Replica, startReplica, stopReplicas } from '../http/replica';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { until } from '../support/until';

const cleanUp = new CleanUp();
let replica: Replica;

beforeAll(async () => {
  replica = await startReplica();
});

afterEach(() => cleanUp.run());
afterAll(stopReplicas);

/** Patient, since other work on the machine is no failure of a replica. */
const PATIENT = { timeoutMs: 10_000 };

function clientOf(
  options: Partial<MetadataCenterOptions> = {},
  surroundings: Partial<Surroundings> = {},
): MetadataCenter {
  const mc = new MetadataCenter(
    { replicas: `127.0.0.1:${replica.port}`, ...PATIENT, ...options },
    { ...nodeSurroundings, ...surroundings },
  );
  cleanUp.add(() => mc.close());
  return mc;
}

const loads = async (cluster: string): Promise<unknown[]> =>
  (await rows(replica.port, cluster)).map((row) => [row.ip, row.queued_req_num, row.prompt_length]);

const urlOf = (input: string | URL | Request): string =>
  typeof input === 'string' ? input : 'url' in input ? input.url : input.href;

interface Sent {
  readonly path: string;
  readonly body: string;
}

/** Requests that arrive, of which the first answers to some paths do not come back; and what was sent. */
function losing(answers: Record<string, number>): { fetch: typeof fetch; sent: Sent[] } {
  const sent: Sent[] = [];
  const left = { ...answers };
  const lossy: typeof fetch = async (input, init) => {
    const path = new URL(urlOf(input)).pathname;
    sent.push({ path, body: typeof init?.body === 'string' ? init.body : '' });
    const response = await fetch(input, init);
    if ((left[path] ?? 0) === 0) return response;
    left[path]!--;
    await response.text();
    throw new TypeError('the connection was reset');
  };
  return { fetch: lossy, sent };
}

/** A port where something else answers every request in one way. */
async function answering(status: number, body = ''): Promise<number> {
  const server: Server = createServer((req, res) => {
    req.resume().on('end', () => res.writeHead(status).end(body));
  });
  cleanUp.add(() => new Promise((resolve) => server.close(resolve)));
  cleanUp.add(() => server.closeAllConnections());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

it.each([
  ['batch.maxEvents', { batch: { maxEvents: 513 } }],
  ['leaseMs', { leaseMs: 2_999 }],
  ['attempts', { attempts: 0 }],
  ['timeoutMs', { timeoutMs: NaN }],
  ['batch.delayMs', { batch: { delayMs: NaN } }],
  ['maxQueued', { maxQueued: 0 }],
  ['refreshMs', { refreshMs: 0 }],
  ['closeMs', { closeMs: -1 }],
])('the client refuses %s that no replica would take, or that never asks one (I8)', (name, options) => {
  expect(() => new MetadataCenter({ replicas: 'localhost', ...options })).toThrow(`${name} must be from`);
});

describe('a select of the client', () => {
  it('books, and the booking takes its prompt and its request off the row again (I2, I10)', async () => {
    const mc = clientOf();
    {
      await using booking = await mc.select({ cluster: 'life', promptLength: 9, candidates: ['10.0.0.1'] });
      expect(booking).toMatchObject({ cluster: 'life', engine: '10.0.0.1' });
      expect(booking.row).toMatchObject({ queuedRequests: 1, promptLength: 9, prefillRequests: 1 });
      expect(await loads('life')).toEqual([['10.0.0.1', 1, 9]]);
      expect(mc.counts.inFlight).toBe(1);
      booking.firstToken();
      booking.firstToken();
      await mc.flush();
      expect(await loads('life')).toEqual([['10.0.0.1', 1, 0]]);
    }
    await mc.flush();
    expect(await loads('life')).toEqual([['10.0.0.1', 0, 0]]);
    expect(mc.counts).toMatchObject({ inFlight: 0, waiting: 0, refused: 0 });
  });

  it('throws NoEngineError where nobody has room, at once', async () => {
    const lossless = losing({});
    const mc = clientOf({}, { fetch: lossless.fetch });
    const selecting = mc.select({ cluster: 'full', candidates: ['10.0.0.1'], maxQueued: 0 });
    await expect(selecting).rejects.toBeInstanceOf(NoEngineError);
    await expect(selecting).rejects.toMatchObject({
      code: 42901000,
      status: 429,
      reason: 'no candidate has room',
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
    });
    expect(lossless.sent).toHaveLength(1);
  });

  it('whose answer is lost ends that id and books under a new one: one request is counted (I10)', async () => {
    const { fetch: lossy, sent } = losing({ '/v1/load/select': 1 });
    const mc = clientOf({}, { fetch: lossy });
    const booking = await mc.select({ cluster: 'lost', promptLength: 4, candidates: ['10.0.0.1'] });
    await mc.flush();
    expect(await loads('lost')).toEqual([['10.0.0.1', 1, 4]]);
    const [first, second] = sent.filter(({ path }) => path === '/v1/load/select').map(({ body }) => body);
    const idOf = (body = '{}'): unknown => (JSON.parse(body) as { request_id?: string }).request_id;
    expect(idOf(second)).toBe(booking.requestId);
    expect(idOf(first)).not.toBe(booking.requestId);
    booking.end();
    await mc.flush();
    expect(await loads('lost')).toEqual([['10.0.0.1', 0, 0]]);
    expect(mc.counts).toMatchObject({ refused: 0, retried: 1 });
  });

  it('that no replica answers leaves nothing counted, and says so within its time', async () => {
    const { fetch: lossy } = losing({ '/v1/load/select': 3 });
    const mc = clientOf({}, { fetch: lossy });
    const selecting = mc.select({ cluster: 'nobody', candidates: ['10.0.0.1'] });
    await expect(selecting).rejects.toMatchObject({ name: 'MetadataCenterError', code: 0, status: 0 });
    await mc.flush();
    expect(await loads('nobody')).toEqual([['10.0.0.1', 0, 0]]);
    expect(mc.counts).toMatchObject({ inFlight: 0, refused: 0, givenUp: { delete: 0 } });
  });

  it('goes to the next replica where one refuses the connection, is not ready, or answers as a proxy does', async () => {
    const bad = [
      await freePort(),
      await answering(503),
      await answering(502, '<html>'),
      await answering(408),
    ];
    for (const port of bad) {
      const replicas = [`127.0.0.1:${port}`, `http://127.0.0.1:${replica.port}/`];
      const mc = clientOf({ replicas });
      for (let i = 0; i < 8; i++) {
        const booking = await mc.select({ cluster: `next-${i}`, candidates: ['10.0.0.1'] });
        booking.end();
      }
      await mc.flush();
      expect(mc.counts.refused).toBe(0);
    }
    for (let i = 0; i < 8; i++) expect(await loads(`next-${i}`)).toEqual([['10.0.0.1', 0, 0]]);
  });

  it('ends with the reason of its signal, before and while it waits, and leaves nothing counted', async () => {
    const why = new Error('the caller has gone');
    const mc = clientOf();
    await expect(
      mc.select({ cluster: 'gone', candidates: ['10.0.0.1'], signal: AbortSignal.abort(why) }),
    ).rejects.toBe(why);
    const caller = new AbortController();
    const late: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (urlOf(input).endsWith('/select')) caller.abort(why);
      init?.signal?.throwIfAborted();
      return response;
    };
    const waiting = clientOf({}, { fetch: late });
    const { signal } = caller;
    await expect(waiting.select({ cluster: 'gone', candidates: ['10.0.0.1'], signal })).rejects.toBe(why);
    await waiting.flush();
    expect(await loads('gone')).toEqual([['10.0.0.1', 0, 0]]);
  });

  it('tells an error of the caller as it is, and asks nobody else', async () => {
    const { fetch: seen, sent } = losing({});
    const mc = clientOf({}, { fetch: seen });
    await expect(mc.select({ cluster: 'c', candidates: ['host'] })).rejects.toMatchObject({
      code: 40001400,
      status: 400,
      reason: expect.stringContaining('candidates[0]') as unknown,
    });
    expect(sent).toHaveLength(1);
  });
});

describe('reports of the client', () => {
  it('go in batches, and each copy has the same bytes, so that a lost answer counts nothing twice (I18)', async () => {
    const { fetch: lossy, sent } = losing({ '/v1/load/batch': 1 });
    const mc = clientOf({ batch: { maxEvents: 50, delayMs: 5 } }, { fetch: lossy });
    const bookings = Array.from({ length: 40 }, () =>
      mc.add({ cluster: 'batch', ip: '10.0.0.1', promptLength: 2 }),
    );
    await mc.flush();
    expect(await loads('batch')).toEqual([['10.0.0.1', 40, 80]]);
    const [first, second] = sent;
    expect(second).toEqual(first);
    expect(sent.length).toBeLessThan(6);
    for (const booking of bookings) booking.end();
    await mc.flush();
    expect(await loads('batch')).toEqual([['10.0.0.1', 0, 0]]);
    expect(mc.counts).toMatchObject({ refused: 0, givenUp: { add: 0, delete: 0 } });
  });

  it('that are refused for good are counted and told, and keep no other from its turn', async () => {
    const told: [number, string][] = [];
    const mc = clientOf({ onRefused: (error, op) => told.push([error.code, op]) });
    const bad = mc.add({ cluster: 'refused', ip: 'no address' });
    mc.add({ cluster: 'refused', ip: '10.0.0.1' });
    await mc.flush();
    expect(told).toEqual([[40001400, 'add']]);
    expect(mc.counts.refused).toBeGreaterThanOrEqual(1);
    expect(await loads('refused')).toEqual([['10.0.0.1', 1, 0]]);
    bad.end();
  });

  it('wait while no replica answers, and arrive when one does', async () => {
    const port = await freePort();
    const mc = clientOf({ replicas: `127.0.0.1:${port}`, timeoutMs: 500 });
    const booking = mc.add({ cluster: 'waits', ip: '10.0.0.1' });
    await until(() => mc.counts.waiting > 0, { describe: 'the report is put back' });
    booking.end();
    const later = await startReplica({ HTTP_PORT: String(port) });
    await mc.flush(AbortSignal.timeout(30_000));
    expect((await rows(port, 'waits')).map((row) => row.queued_req_num)).toEqual([0]);
    expect(mc.counts).toMatchObject({ waiting: 0, givenUp: { add: 0, delete: 0 } });
    await mc.close();
    await later.stop();
  });

  it('that do not fit are given up and counted, deletes last; close gives up the rest in time (I7)', async () => {
    const mc = clientOf({
      replicas: `127.0.0.1:${await freePort()}`,
      timeoutMs: 200,
      maxQueued: 10,
      closeMs: 300,
    });
    const bookings = Array.from({ length: 30 }, () => mc.add({ cluster: 'bounded', ip: '10.0.0.1' }));
    for (const booking of bookings) booking.firstToken();
    for (const booking of bookings.slice(0, 8)) booking.end();
    await until(() => mc.counts.waiting <= 10 && mc.counts.waiting > 0, { describe: 'bounded' });
    const { givenUp } = mc.counts;
    expect(givenUp.delete).toBe(0);
    expect(givenUp.add + givenUp['prompt-delete']).toBeGreaterThan(40);
    await mc.close();
    expect(mc.counts).toMatchObject({ waiting: 0, inFlight: 0 });
    expect(mc.counts.givenUp.delete).toBeGreaterThanOrEqual(8);
    await mc.close();
  });

  it('carry the token, which may change', async () => {
    const guarded = await startReplica({ METADATA_CENTER_AUTH_TOKENS: 'first,second' });
    let token = 'wrong';
    const mc = clientOf({ replicas: `127.0.0.1:${guarded.port}`, token: () => token });
    const options = { cluster: 'token', candidates: ['10.0.0.1'] };
    await expect(mc.select(options)).rejects.toMatchObject({ code: 40101001, status: 401 });
    token = 'second';
    await expect(mc.select(options)).resolves.toMatchObject({ engine: '10.0.0.1' });
    await mc.close();
    await guarded.stop();
  });

  it('end every request that is in flight when the client is closed', async () => {
    const mc = clientOf();
    await mc.select({ cluster: 'closing', candidates: ['10.0.0.1'] });
    mc.add({ cluster: 'closing', ip: '10.0.0.1' });
    await mc.flush();
    expect(await loads('closing')).toEqual([['10.0.0.1', 2, 0]]);
    await mc.close();
    expect(await loads('closing')).toEqual([['10.0.0.1', 0, 0]]);
    const late = mc.add({ cluster: 'closing', ip: '10.0.0.1' });
    expect(late.hasEnded).toBe(true);
  });

  it('end what a select books while the client is closed; one after that books nothing (I10)', async () => {
    const { fetch: lossless, sent } = losing({});
    const mc = clientOf({}, { fetch: lossless });
    const under = mc.select({ cluster: 'racing', candidates: ['10.0.0.1'] });
    await until(() => sent.some(({ path }) => path === '/v1/load/select'), {
      describe: 'the select is on its way',
    });
    await mc.close();
    expect((await under).hasEnded).toBe(true);
    await expect(mc.select({ cluster: 'racing', candidates: ['10.0.0.1'] })).rejects.toThrow('closed');
    expect(await loads('racing')).toEqual([['10.0.0.1', 0, 0]]);
    expect(mc.counts).toMatchObject({ waiting: 0, inFlight: 0, givenUp: { delete: 0 } });
  });
});

describe('liveness by the client', () => {
  it('keeps a request that outlasts the expiry, and is listed as the owner of what it holds (I12, I13)', async () => {
    const short = await startReplica({
      METADATA_CENTER_LOAD_REQ_EXPIRE: '1s',
      METADATA_CENTER_LOAD_GC_INTERVAL: '50ms',
    });
    const mc = clientOf({ replicas: `127.0.0.1:${short.port}`, refreshMs: 100, leaseMs: 3_000 });
    const booking = await mc.select({ cluster: 'long', promptLength: 5, candidates: ['10.0.0.1'] });
    booking.firstToken();
    await post(short.port, { cluster: 'long', request_id: 'not refreshed', ip: '10.0.0.2' });
    const now = async (): Promise<unknown[]> =>
      (await rows(short.port, 'long')).map((row) => [row.ip, row.queued_req_num, row.prompt_length]);
    await until(async () => (await now()).every((row) => String(row) !== '10.0.0.2,1,0'), {
      describe: 'the request that nobody refreshes expires',
    });
    expect(await now()).toContainEqual(['10.0.0.1', 1, 0]);
    const { text } = await call(short.port, 'GET', '/v1/load/owners');
    expect((JSON.parse(text) as { data: unknown[] }).data).toEqual([
      expect.objectContaining({ owner: mc.owner, in_flight: 1, alive: true }),
    ]);
    booking.end();
    await mc.flush();
    expect(await now()).toContainEqual(['10.0.0.1', 0, 0]);
    expect(mc.counts).toMatchObject({ refused: 0, givenUp: { refresh: 0, owner: 0 } });
    await mc.close();
    await short.stop();
  });
});

describe('the names of the replicas', () => {
  it('are looked up, again every 5 s while there are calls, and what is known is kept while a lookup fails', async () => {
    let nowMs = 0;
    const asked: string[] = [];
    let addresses: readonly string[] | Error = ['127.0.0.1'];
    const mc = clientOf(
      { replicas: `replicas.test:${replica.port}` },
      {
        monotonicMs: () => nowMs,
        lookup: (name) => {
          asked.push(name);
          return addresses instanceof Error ? Promise.reject(addresses) : Promise.resolve(addresses);
        },
      },
    );
    const select = async (): Promise<void> => {
      const booking = await mc.select({ cluster: 'names', candidates: ['10.0.0.1'] });
      booking.end();
    };
    await select();
    await select();
    await mc.flush();
    expect(asked).toEqual(['replicas.test']);
    addresses = new Error('ENOTFOUND');
    nowMs += 5_000;
    await select();
    expect(asked).toHaveLength(2);
    await select();
  });

  it('that have no address are an error of the call within its time', async () => {
    const mc = clientOf(
      { replicas: 'nobody.test' },
      { lookup: () => Promise.reject(new Error('ENOTFOUND')) },
    );
    await expect(mc.select({ cluster: 'c', candidates: ['10.0.0.1'] })).rejects.toMatchObject({
      code: 0,
      reason: 'there is no address of nobody.test',
    });
    const hangs = clientOf(
      { replicas: 'slow.test', timeoutMs: 50 },
      { lookup: () => new Promise(() => undefined) },
    );
    await expect(hangs.select({ cluster: 'c' })).rejects.toBeInstanceOf(MetadataCenterError);
  });

  it.each(['http://host:1/path', 'user@host:1', 'host:1?x', ''])(
    'are refused at once where they are %j',
    (replicas) => {
      expect(() => new MetadataCenter({ replicas })).toThrow();
    },
  );
});

describe('a watch of the client', () => {
  it('is refused at once with an interval that every replica would refuse', () => {
    const mc = clientOf();
    for (const intervalMs of [19, 10_001, NaN])
      expect(() => mc.watch('refused', { intervalMs })).toThrow('intervalMs must be from 20 to 10000');
  });

  it('keeps the rows, with own reports in them at once, and equals the query when all has settled (I2)', async () => {
    await post(replica.port, { cluster: 'watch', request_id: 'other', ip: '10.0.0.2', prompt_length: 3 });
    const mc = clientOf();
    const view = mc.watch('watch');
    await until(() => view.live, { describe: 'the stream is open' });
    const seen = (): unknown[] => view.rows.map((row) => [row.ip, row.queuedRequests, row.promptLength]);
    expect(seen()).toEqual([['10.0.0.2', 1, 3]]);
    const first = mc.add({ cluster: 'watch', ip: '10.0.0.1', promptLength: 5 });
    expect(seen()).toEqual([
      ['10.0.0.2', 1, 3],
      ['10.0.0.1', 1, 5],
    ]);
    expect(view.pick({ of: 1, candidates: ['10.0.0.9'] })).toMatchObject({
      ip: '10.0.0.9',
      queuedRequests: 0,
    });
    const second = await mc.select({ cluster: 'watch', promptLength: 2, candidates: ['10.0.0.1'] });
    expect(seen()).toContainEqual(['10.0.0.1', 2, 7]);
    const equalsQuery = async (): Promise<boolean> =>
      JSON.stringify(seen().sort()) === JSON.stringify((await loads('watch')).sort());
    await mc.flush();
    // What has settled is let go of when the rows are read.
    await until(async () => (await equalsQuery()) && view.own.isEmpty, {
      describe: () => JSON.stringify(seen()),
    });
    first.firstToken();
    second.end();
    expect(seen()).toContainEqual(['10.0.0.1', 1, 0]);
    first.end();
    await mc.flush();
    await until(() => view.rows.every((row) => row.ip === '10.0.0.2' || row.queuedRequests === 0), {
      describe: 'only the other request is left',
    });
    await until(equalsQuery, { describe: () => JSON.stringify(seen()) });
  });

  it('is opened again at once after its replica went, at another one if there is one', async () => {
    const two = await Promise.all([startReplica(), startReplica()]);
    const mc = clientOf({ replicas: two.map(({ port }) => `127.0.0.1:${port}`) });
    const view = mc.watch('moves');
    await until(() => view.live, { describe: 'the stream is open' });
    const [home, other] = two[0].watchers.count === 1 ? two : [two[1], two[0]];
    expect(home.watchers.count).toBe(1);
    await home.stop();
    await until(() => other.watchers.count === 1 && view.live, { describe: 'the stream has moved' });
    view.close();
    await until(() => other.watchers.count === 0, { describe: 'the stream has ended' });
    expect(view.live).toBe(false);
    await mc.close();
    await other.stop();
  });

  it('ends with its signal and with the client', async () => {
    const mc = clientOf();
    const end = new AbortController();
    mc.watch('ends', { signal: end.signal });
    mc.watch('ends');
    await until(() => replica.watchers.count === 2, { describe: 'both streams are open' });
    end.abort();
    await until(() => replica.watchers.count === 1, { describe: 'one has ended' });
    await mc.close();
    await until(() => replica.watchers.count === 0, { describe: 'both have ended' });
    expect((await call(replica.port, 'GET', '/healthz')).status).toBe(200);
  });
});
