import { newFingerprinting } from '../../src/composition/fingerprinting';
import { InProcessBus, InProcessHub } from '../../src/bus/in-process-bus';
import { CausalContext } from '../../src/core/causal-context';
import { LoadStats } from '../../src/core/load-stats';
import { composeHeartbeat, decodeHeartbeat, encodeHeartbeat } from '../../src/replication/heartbeat';
import { HeartbeatExchange } from '../../src/replication/heartbeat-exchange';
import { CONTEXT_LIMITS, loadStatsOptions } from '../../src/replication/limits';
import { Replicator } from '../../src/replication/replicator';
import { Republisher } from '../../src/replication/republisher';

const NOW = 1_700_000_000_000_000;
const load = { expireAfterMs: 600_000, finishedRetentionMs: 60_000, maxInFlight: 10, maxEngines: 10 };

describe('A heartbeat', () => {
  it('names the highest seq of every origin that was active lately, so that the last event of a dead one is missed (I4)', () => {
    const context = new CausalContext({ ...CONTEXT_LIMITS, forgetAfterUs: 1e12 });
    context.observe('dead', 5, NOW - 100_000_000, NOW);
    context.observe('long-dead', 5, NOW - 200_000_000, NOW);
    const heartbeat = composeHeartbeat('self', 7, context, NOW - 120_000_000, NOW);
    expect(decodeHeartbeat(encodeHeartbeat(heartbeat))).toEqual({
      origin: 'self',
      timeUs: NOW,
      highest: [
        ['self', NOW, 7],
        ['dead', NOW - 100_000_000, 5],
      ],
    });
  });

  it('announces seqs; what is none is counted, and one of a later version passed over (I7, I8)', () => {
    const bus = new InProcessBus(new InProcessHub(), () => undefined);
    const context = new CausalContext({ ...CONTEXT_LIMITS, forgetAfterUs: 1e12 });
    const replicator = new Replicator({
      loadStats: new LoadStats(loadStatsOptions(load, newFingerprinting())),
      context,
      bus,
      republisher: new Republisher(bus),
      nowUs: () => NOW,
      observeLatency: () => undefined,
      options: { origin: 'self', subjectPrefix: 'p', maxInFlight: 10, maxEngines: 10 },
    });
    const heartbeats = new HeartbeatExchange(replicator, context, bus, () => NOW, 'p');
    const receive = (value: unknown): void => heartbeats.receive(Buffer.from(JSON.stringify(value)));
    const good = { v: 1, origin: 'peer', time_us: NOW, highest: [['peer', NOW, 3]] };
    receive({ ...good, v: 2 });
    expect(context.knows('peer')).toBe(false);
    for (const bad of [
      null,
      { ...good, v: 0 },
      { ...good, origin: 'a"b' },
      { ...good, highest: [['a"b', NOW, 3]] },
      { ...good, highest: [['peer', NOW, -3]] },
      { ...good, pad: 'x'.repeat(20_000) },
    ])
      receive(bad);
    expect(context.knows('peer') || context.knows('a"b')).toBe(false);
    expect([...replicator.counts.dropped]).toEqual([['heartbeat', 6]]);
    receive(good);
    expect(context.holes().get('peer')?.count).toBe(3);
  });
});
