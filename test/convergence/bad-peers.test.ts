/** Peers that are slow, lie, send rubbish or half a snapshot: they change nothing and delay nobody. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { CleanUp } from '../support/clean-up';
import { runs } from '../support/size';
import { until } from '../support/until';
import { seededRandom } from '../support/seeded-random';
import { Fleet } from './fleet';
import { Workload } from './workload';

const nowUs = (): number => Date.now() * 1000;
const envelope = (data: unknown): string =>
  JSON.stringify({ status: 'OK', error: null, data, trace_id: 'x' });

const LIAR = { replica: 'liar', deployment: 'metadata-center', speaks: 1, ready: true };

/** A status that claims to be ready and to have seen and to hold what nobody else has. */
const lie = (): object => {
  const second = Math.floor(nowUs() / 1e6);
  return {
    ...LIAR,
    time_us: nowUs(),
    context: [['nobody', nowUs(), 500, 1, 500]],
    digests: { adds: [[second, 7, 1, 2]], deletions: [[second, 9, 3, 4]], raises: [0, 0] },
  };
};
const header = (): string =>
  JSON.stringify({ snapshot: 2, ...LIAR, context: [['nobody', nowUs(), 500, 1, 500]] });

const BAD_PEERS: Record<string, RequestListener> = {
  'never answers': () => undefined,
  'answers rubbish': (_req, res) => void res.end('%$#&'),
  'answers errors': (_req, res) => void res.writeHead(500).end(envelope(null)),
  'sends a rubbish snapshot': (req, res) =>
    void res.end(req.url!.includes('status') ? envelope(lie()) : `${header()}\n["add",0,{}]\n[[[\n`),
  'sends half a snapshot and cuts the line': (req, res) => {
    if (req.url!.includes('status')) res.end(envelope(lie()));
    else res.write(`${header()}\n`, () => res.destroy());
  },
  'sends a snapshot a byte a second': (req, res) => {
    if (req.url!.includes('status')) {
      res.end(envelope(lie()));
      return;
    }
    const text = `${header()}\n`;
    let sent = 0;
    const timer = setInterval(() => res.write(text[sent++ % text.length]), 1_000);
    res.once('close', () => clearInterval(timer));
  },
  'sends a status without end': (_req, res) => {
    res.write('{"status":"OK","data":{"replica":"liar","context":[');
    const timer = setInterval(() => res.write('["x",1,1],'.repeat(1000)), 10);
    res.once('close', () => clearInterval(timer));
  },
};

// One fleet for all, and one recount: each test leaves it as it was.
let fleet: Fleet;
let load: Workload;
const atEnd = new CleanUp();
const cleanUp = new CleanUp();

beforeAll(async () => {
  const env = { METADATA_CENTER_READY_TIMEOUT: '8s' };
  fleet = await atEnd.use(Fleet.start({ size: 2, env }), (it) => it.stop());
  load = new Workload(seededRandom(1), fleet.urls);
  atEnd.add(() => load.close());
});

afterAll(() => atEnd.run());

afterEach(async () => {
  await cleanUp.run();
  fleet.resolveAll();
});

test.each(Object.entries(BAD_PEERS))(
  'I4 I7 I8: beside a peer that %s a replica joins, repairs and stays right',
  async (_what, listener) => {
    const badHost = fleet.members[0]!.host.replace(/\d+$/, '77');
    const bad = createServer(listener).listen(fleet.port, badHost);
    cleanUp.add(async () => {
      bad.closeAllConnections();
      await new Promise((resolve) => bad.close(resolve));
    });
    await once(bad, 'listening');
    const [first, second] = fleet.members;
    for (const member of fleet.members) fleet.resolve(member, [first!.host, second!.host, badHost]);

    await second!.replica.kill();
    load.targets = [fleet.urls[0]!];
    await load.addMany(runs(200));
    await fleet.launch(second!);
    await second!.replica.ready(20_000);
    expect(await load.differenceAt(fleet.urls[1]!)).toBe('');

    // Lost on the bus: only the good peer has them.
    second!.link.swallow(true);
    await load.addMany(runs(200));
    second!.link.swallow(false);
    const ms = await load.converged(fleet.urls, 10_000);
    expect(load.refused).toEqual([]);
    const rows = (await (await fetch(`${fleet.urls[1]!}/v1/replica/status`)).json()) as {
      data: { counts: { in_flight: number } };
    };
    expect(rows.data.counts.in_flight).toBe(load.live.size);
    process.stdout.write(`beside a peer that ${_what}: repaired after ${ms} ms\n`);
  },
  90_000,
);

test('I9: a replica of another deployment whose address is in the name is no peer, and is told so', async () => {
  const mixed = await cleanUp.use(
    Fleet.start({
      size: 3,
      memberEnv: (index) => (index === 2 ? { NATS_SUBJECT_PREFIX: 'staging' } : {}),
    }),
    (it) => it.stop(),
  );
  const [first, , staging] = mixed.members;
  const [prodUrl, , stagingUrl] = mixed.urls;
  const report = { cluster: 'llama', request_id: 'of-staging', ip: '10.9.9.9' };
  const added = await fetch(`${stagingUrl!}/v1/load/stats`, { method: 'POST', body: JSON.stringify(report) });
  expect(added.status).toBe(200);
  // Started anew, it catches up: with its own only.
  await first!.replica.kill();
  await mixed.launch(first!);
  await first!.replica.ready(20_000);
  const peersOf = async (url: string): Promise<Record<string, string>> => {
    const { data } = (await (await fetch(`${url}/readyz`)).json()) as {
      data: { peers: Record<string, string> };
    };
    return data.peers;
  };
  await until(async () => (await peersOf(prodUrl!))[staging!.host] === 'other-deployment', {
    describe: 'the stranger is known',
  });
  await until(
    async () => Object.values(await peersOf(stagingUrl!)).join() === 'other-deployment,other-deployment',
    {
      describe: 'the others are strangers to it',
    },
  );
  const rows = (await (await fetch(`${prodUrl!}/v1/load/stats?cluster=llama`)).json()) as { data: unknown[] };
  expect(rows.data).toEqual([]);
  for (const path of ['status', 'snapshot']) {
    const refused = await fetch(`${prodUrl!}/v1/replica/${path}?deployment=staging&speaks=1`);
    expect([refused.status, ((await refused.json()) as { error: { code: number } }).error.code]).toEqual([
      409, 40901000,
    ]);
  }
  await first!.replica.hasLogged(/belongs to another deployment/);
  const metrics = await (await fetch(`${prodUrl!}/metrics`)).text();
  expect(metrics).toContain('metacenter_peers{state="other-deployment"} 1');
}, 60_000);

test('the peers that a name answers come and go', async () => {
  const [first, second] = fleet.members;
  const peersOfFirst = async (): Promise<string> => {
    const { data } = (await (await fetch(`${fleet.urls[0]!}/readyz`)).json()) as {
      data: { peers: Record<string, string> };
    };
    return JSON.stringify(data.peers);
  };
  await until(async () => (await peersOfFirst()) === `{"${second!.host}":"ready"}`, {
    describe: 'the peer is ready',
  });
  fleet.resolve(first!, [first!.host]);
  await until(async () => (await peersOfFirst()) === '{}', { describe: 'the peer is gone' });
  // A name that answers nothing at all keeps the last answer for a while.
  fleet.resolveAll();
  await until(async () => (await peersOfFirst()) === `{"${second!.host}":"ready"}`, {
    describe: 'the peer is back',
  });
  fleet.resolve(first!, []);
  await first!.replica.hasLogged('peer lookups fail');
  expect(await peersOfFirst()).toBe(`{"${second!.host}":"ready"}`);
  const metrics = await (await fetch(`${fleet.urls[0]!}/metrics`)).text();
  expect(metrics).toMatch(new RegExp(`dns_lookup_hosts\\{domain="[^"]+",host="${second!.host}"\\} 1`));
  expect(metrics).toMatch(/metacenter_dns_lookup_failures_total [1-9]/);
});
