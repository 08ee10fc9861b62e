/** Holes in an origin's seqs that no peer can fill are filled from what the bus remembers. */
import { connect } from 'nats';
import { CausalContext } from '../../src/core/causal-context';
import { LoadStats } from '../../src/core/load-stats';
import { History } from '../../src/history/history';
import { createLogger } from '../../src/observability/logger';
import { repairOptions } from '../../src/repair/repair-options';
import { Repair } from '../../src/repair/repair';
import { contextOptions } from '../../src/replication/limits';
import { Replicator } from '../../src/replication/replicator';
import { Republisher } from '../../src/replication/republisher';
import { parseNatsServers } from '../../src/bus/nats-servers';
import { InProcessBus, InProcessHub } from '../../src/bus/in-process-bus';
import { encodeEvent } from '../../src/wire/event-codec';
import { LINK } from '../bus/nats-bus-fixture';
import { CleanUp } from '../support/clean-up';
import { JETSTREAM, NatsServerProcess } from '../support/nats-server';
import { until } from '../support/until';
import { viewOptions } from '../support/view-options';

const SECOND = 1_000_000;
const STATS = viewOptions();
const CONTEXT = contextOptions(STATS);
const TICK_MS = 100;

describe('What an origin did before the first of its events that is remembered', () => {
  it('is no longer chased, and still open for a late arrival or a peer that has it', () => {
    const context = new CausalContext(CONTEXT);
    const now = 1_700_000_000 * SECOND;
    for (const seq of [5, 6, 8]) context.observe('x', seq, now, now);
    context.announce('y', 3, now, now);
    context.giveUpBeginnings();
    const holes = Array.from(context.holes(), ([origin, seqs]) => [origin, ...seqs.toJSON()]);
    expect(holes).toEqual([
      ['x', 7, 7],
      ['y', 1, 3],
    ]);
    const peer = new CausalContext(CONTEXT);
    peer.observe('x', 4, now, now);
    context.announceAll(peer, 'me', now);
    expect(context.holes().get('x')?.toJSON()).toEqual([4, 4, 7, 7]);
    expect(context.observe('x', 2, now, now)).toBe(true);
  });
});

describe('With a real stream', () => {
  const cleanUp = new CleanUp();

  afterEach(() => cleanUp.run());

  it('an event that the live subscription lost and that nobody else has is replayed within seconds (I4)', async () => {
    const nats = await cleanUp.use(NatsServerProcess.start({ config: JETSTREAM }), (it) => it.stop());
    const nowUs = (): number => Date.now() * 1000;
    const stats = new LoadStats(STATS);
    const context = new CausalContext(CONTEXT);
    const bus = new InProcessBus(new InProcessHub(), () => undefined);
    const replicator = new Replicator({
      loadStats: stats,
      context,
      bus,
      republisher: new Republisher(bus),
      nowUs,
      observeLatency: () => undefined,
      options: { origin: 'me', subjectPrefix: 'p', maxInFlight: 100, maxEngines: 100, maxOwners: 100 },
    });
    const [server] = parseNatsServers(nats.url);
    const history = new History(
      {
        required: false,
        stream: {
          subjectPrefix: 'p',
          storage: 'memory',
          replicas: 1,
          maxBytes: 1024 * 1024,
          maxAgeMs: 660_000,
        },
        connection: LINK,
      },
      () => server,
      {
        isServing: () => true,
        onMessage: (payload) => replicator.receive(payload, 'replay'),
        onReplayed: () => undefined,
      },
      nowUs,
      createLogger('fatal', 'under-test', { write: () => undefined }),
    );
    const self = { replica: 'me', deployment: 'p', speaks: 1 };
    const repair = new Repair(self, stats, context, Math.random, repairOptions(STATS));
    let replays = 0;
    const tick = (): void => {
      const around = { busConnected: true, peersKnown: true, history: history.state };
      for (const command of repair.step({ kind: 'tick', around }, nowUs(), performance.now() * 1000)) {
        if (command.kind !== 'replay' || !history.replay(command.sinceUs)) continue;
        replays++;
        repair.step({ kind: 'replaying' }, nowUs(), performance.now() * 1000);
      }
    };
    history.start();
    cleanUp.add(() => history.stop());
    const connection = await cleanUp.use(connect({ servers: nats.url }), (it) => it.close());
    const timer = setInterval(tick, TICK_MS);
    cleanUp.add(() => clearInterval(timer));
    await until(() => history.state === 'young', { describe: 'the empty stream was replayed' });
    const events = [1, 2, 3].map((seq) =>
      encodeEvent({
        type: 'add',
        origin: 'x',
        seq,
        timeUs: nowUs(),
        requestId: `r${seq}`,
        cluster: 'm',
        ip: '10.0.0.1',
        promptLength: 1,
        timestampNs: undefined,
      }),
    );
    for (const event of events) connection.publish('p.load.add', event);
    // The live subscription brings the first and the last.
    replicator.receive(events[0]!);
    replicator.receive(events[2]!);
    await until(() => stats.inFlight.size === 3, { describe: 'the lost event is there' });
    expect(context.has('x', 2)).toBe(true);
    expect(replays).toBe(1);
  });
});
