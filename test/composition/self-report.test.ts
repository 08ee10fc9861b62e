import { isDeepStrictEqual } from 'node:util';
import pino from 'pino';
import { InProcessBus, InProcessHub } from '../../src/bus/in-process-bus';
import { SelfReport, type ReplicaParts } from '../../src/composition/self-report';
import { CausalContext } from '../../src/core/causal-context';
import { LoadStats } from '../../src/core/load-stats';
import { SystemLookup } from '../../src/dns/system-lookup';
import { DnsDiscovery } from '../../src/peers/dns-discovery';
import { CONTEXT_LIMITS } from '../../src/replication/limits';
import { CleanUp } from '../support/clean-up';
import { until } from '../support/until';
import { viewOptions } from '../support/view-options';

const cleanUp = new CleanUp();
afterEach(() => cleanUp.run());

/** What a replica says that has caught up, with these parts. */
async function reportOf(parts: Partial<ReplicaParts>): Promise<{ report: SelfReport; stats: LoadStats }> {
  const stats = new LoadStats(viewOptions());
  const bus = new InProcessBus(new InProcessHub(), () => undefined);
  cleanUp.add(() => bus.stop());
  bus.start({}, () => undefined);
  await until(() => bus.connected, { describe: 'the bus is connected' });
  const repair = {
    self: { replica: 'o', deployment: 'p', speaks: 1 },
    joining: { ready: true, caughtUp: true, reason: 'there is no peer' },
    clock: { aheadUs: undefined, off: false, alone: false },
    missing: 0,
    fleetSpeaks: 1,
    peers: {},
  } as unknown as ReplicaParts['repair'];
  const context = new CausalContext({ ...CONTEXT_LIMITS, forgetAfterUs: 1 });
  const all = { stats, context, bus, history: undefined, discovery: undefined, repair, nowUs: () => 1e15 };
  return { report: new SelfReport({ ...all, ...parts }), stats };
}

test('I6: a replica whose clock went back says so, since it may refuse what others report', async () => {
  let nowUs = 1e15;
  const { report, stats } = await reportOf({ nowUs: () => nowUs });
  stats.advance(nowUs);
  expect(report.readiness().body).toMatchObject({ degraded: false, reason: 'there is no peer' });
  nowUs -= 3_600e6;
  expect(report.readiness()).toMatchObject({
    ready: true,
    body: { degraded: true, reason: expect.stringContaining('the clock went back by 3600 s') as string },
  });
  nowUs += 3_600e6;
  expect(report.readiness().body).toMatchObject({ degraded: false });
});

test('I6: a replica whose lookups of its peers fail or hang says so while they do, beside a bus that is well', async () => {
  let answer: () => Promise<readonly string[]> = () => Promise.reject(new Error('ENOTFOUND'));
  const options = { host: 'peers', intervalMs: 5, own: [] };
  const discovery = new DnsDiscovery(
    options,
    () => undefined,
    pino({ level: 'silent' }),
    () => answer(),
  );
  const { report } = await reportOf({ discovery });
  const shows = (degraded: boolean, state: string, why: string): Promise<true> =>
    until(() => isDeepStrictEqual(shown(), [degraded, state, why]), {
      describe: () => `${state}: ${why}, not ${JSON.stringify(shown())}`,
    });
  const shown = (): unknown => {
    const body = report.readiness().body as { degraded: boolean; discovery: DnsDiscovery['state'] };
    return [body.degraded, body.discovery.state, body.discovery.reason];
  };
  await shows(false, 'starting', 'peers is being looked up');
  discovery.start();
  cleanUp.add(() => discovery.stop());
  await shows(true, 'failing', 'peers: ENOTFOUND');
  expect(report.readiness()).toMatchObject({
    ready: true,
    reason: 'the lookup of the peers fails: peers: ENOTFOUND',
  });
  answer = () => Promise.resolve(['10.0.0.1', '10.0.0.2']);
  await shows(false, 'working', 'peers: 2 addresses');
  const hanging = new SystemLookup({ withinMs: 5, most: 1 }, () => new Promise(() => undefined));
  answer = () => hanging.addresses('peers');
  await shows(true, 'failing', 'peers: the lookup of peers hangs');
  // No name, no fault.
  expect((await reportOf({})).report.readiness().body).toMatchObject({
    degraded: false,
    discovery: { state: 'none' },
  });
});
