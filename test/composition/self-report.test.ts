import { newFingerprinting } from '../../src/composition/fingerprinting';
import { InProcessBus, InProcessHub } from '../../src/bus/in-process-bus';
import { SelfReport, type ReplicaParts } from '../../src/composition/self-report';
import { CausalContext } from '../../src/core/causal-context';
import { LoadStats } from '../../src/core/load-stats';
import { CONTEXT_LIMITS, loadStatsOptions } from '../../src/replication/limits';
import { until } from '../support/until';

const load = { expireAfterMs: 600_000, finishedRetentionMs: 60_000, maxInFlight: 10, maxEngines: 10 };

test('I6: a replica whose clock went back says so, since it may refuse what others report', async () => {
  let nowUs = 1e15;
  const stats = new LoadStats(loadStatsOptions(load, newFingerprinting()));
  const bus = new InProcessBus(new InProcessHub(), () => undefined);
  bus.start({}, () => undefined);
  await until(() => bus.connected, { describe: 'the bus is connected' });
  const repair = {
    self: { replica: 'o', deployment: 'p', speaks: 1 },
    joining: { ready: true, caughtUp: true, reason: 'there is no peer' },
    clock: { aheadUs: undefined, off: false, alone: false },
    missing: 0,
    fleetSpeaks: 1,
    peerStates: {},
  } as unknown as ReplicaParts['repair'];
  const context = new CausalContext({ ...CONTEXT_LIMITS, forgetAfterUs: 1 });
  const parts = { stats, context, bus, history: undefined, repair };
  const report = new SelfReport({ ...parts, nowUs: () => nowUs });

  stats.advance(nowUs);
  expect(report.readiness().body).toMatchObject({ degraded: false, reason: 'there is no peer' });
  nowUs -= 3_600e6;
  expect(report.readiness()).toMatchObject({
    ready: true,
    body: { degraded: true, reason: expect.stringContaining('the clock went back by 3600 s') as string },
  });
  nowUs += 3_600e6;
  expect(report.readiness().body).toMatchObject({ degraded: false });
  await bus.stop();
});
