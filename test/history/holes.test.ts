/** Holes in an origin's seqs that no peer can fill are filled from what the bus remembers. */
import { connect } from 'nats';
import { CausalContext } from '../../src/core/causal-context';
import { LoadStats } from '../../src/core/load-stats';
import { History } from '../../src/history/history';
import { createLogger } from '../../src/observability/logger';
import type { AntiEntropyEvent, AntiEntropyPort } from '../../src/replication/anti-entropy-port';
import type { PeerStatus } from '../../src/replication/peer-table';
import { AntiEntropy } from '../../src/replication/anti-entropy';
import { CONTEXT_LIMITS, antiEntropyOptions, loadStatsOptions } from '../../src/replication/limits';
import { Replicator } from '../../src/replication/replicator';
import { Republisher } from '../../src/replication/republisher';
import { parseNatsServers } from '../../src/bus/nats-servers';
import { InProcessBus, InProcessHub } from '../../src/bus/in-process-bus';
import { encodeEvent } from '../../src/wire/event-codec';
import { lookUp, NO_CREDENTIALS, NO_TLS } from '../bus/nats-bus-fixture';
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess } from '../support/nats-server';
import { until } from '../support/until';

const SECOND = 1_000_000;
const [EXPIRE_AFTER_MS, RETENTION_MS] = [600_000, 60_000];
const STATS = loadStatsOptions({
  expireAfterMs: EXPIRE_AFTER_MS,
  finishedRetentionMs: RETENTION_MS,
  maxInFlight: 100,
  maxEngines: 100,
});
const CONTEXT = { ...CONTEXT_LIMITS, forgetAfterUs: 2 * (STATS.expireAfterUs + STATS.finishedRetentionUs) };
const OPTIONS = antiEntropyOptions('me', STATS);
const TICK = 100_000;

/** Anti-entropy that chases a hole in the seqs of one origin, seq 2 of 3. */
class Chaser implements AntiEntropyPort {
  readonly replays: number[] = [];
  readonly givenUp: AntiEntropyEvent[] = [];
  canReplay = true;
  readonly context = new CausalContext(CONTEXT);
  readonly startUs = 1_700_000_000 * SECOND;
  nowUs = this.startUs;
  readonly antiEntropy = new AntiEntropy(
    new LoadStats(STATS),
    this.context,
    this,
    () => 0.5,
    OPTIONS,
    this.nowUs,
  );

  constructor() {
    for (const seq of [1, 3]) this.context.observe('x', seq, this.nowUs, this.nowUs);
  }

  compare(address: string): void {
    this.antiEntropy.failed(address, this.nowUs);
  }
  pull(): void {
    throw new Error('nothing to pull');
  }
  nudge(): void {
    // Nobody to nudge.
  }
  replay(sinceUs: number): boolean {
    if (this.canReplay) this.replays.push(sinceUs);
    return this.canReplay;
  }
  report(event: AntiEntropyEvent): void {
    this.givenUp.push(event);
  }

  /** Ticks through so many seconds. */
  pass(seconds: number, replaying = false): void {
    for (const end = this.nowUs + seconds * SECOND; this.nowUs < end;) {
      this.nowUs += TICK;
      this.antiEntropy.tick(this.nowUs, replaying);
    }
  }
}

describe('A hole that no peer can fill', () => {
  it('is looked for in the history: first in the last minute, then once in everything, then given up (I4)', () => {
    const chaser = new Chaser();
    chaser.pass(2);
    expect(chaser.replays).toEqual([]);
    chaser.pass(2);
    expect(chaser.replays).toHaveLength(1);
    expect(Math.abs(chaser.replays[0]! - (chaser.startUs - OPTIONS.historyReachUs))).toBeLessThan(SECOND);
    chaser.pass(3);
    expect(chaser.replays).toHaveLength(1);
    chaser.pass(20);
    expect(chaser.replays.slice(1)).toEqual([0]);
    chaser.pass(10);
    expect(chaser.replays).toHaveLength(2);
    expect(chaser.givenUp.map(({ kind }) => kind)).toEqual(['hole-given-up']);
    expect(chaser.antiEntropy.counts.historyReplays).toBe(2);
  });

  it('is not looked for there while it can be had from a peer', () => {
    const chaser = new Chaser();
    chaser.antiEntropy.setPeers(['10.0.0.1']);
    const context = new CausalContext(CONTEXT);
    for (const seq of [1, 2, 3]) context.observe('x', seq, chaser.nowUs, chaser.nowUs);
    const status: PeerStatus = { replica: 'other', ready: true, context, digests: undefined };
    for (let i = 0; i < 100; i++) {
      chaser.antiEntropy.observe('10.0.0.1', status, chaser.nowUs);
      chaser.pass(0.1);
    }
    expect(chaser.replays).toEqual([]);
    chaser.antiEntropy.unreachable('10.0.0.1');
    chaser.pass(0.1);
    expect(chaser.replays).toHaveLength(1);
  });

  it('waits for a history that can not be replayed now', () => {
    const chaser = new Chaser();
    chaser.canReplay = false;
    chaser.pass(5);
    chaser.canReplay = true;
    chaser.pass(0.2);
    expect(chaser.replays).toHaveLength(1);
  });

  it('is no loss yet while a starting replica replays', () => {
    const chaser = new Chaser();
    chaser.pass(60, true);
    expect([chaser.replays, chaser.givenUp, chaser.antiEntropy.chased]).toEqual([[], [], 0]);
  });
});

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
    const config = 'jetstream: { store_dir: "{folder}" }';
    const nats = await cleanUp.use(NatsServerProcess.start({ config }), (it) => it.stop());
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
      options: { origin: 'me', subjectPrefix: 'p', maxInFlight: 100, maxEngines: 100 },
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
          maxAgeMs: EXPIRE_AFTER_MS + RETENTION_MS,
        },
        connection: {
          clientName: 'test',
          credentials: NO_CREDENTIALS,
          tls: NO_TLS,
          lookUp,
          timeoutMs: 1_000,
          pingIntervalMs: 1_000,
          maxPingOut: 2,
        },
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
    const chaser = new Chaser();
    const port: AntiEntropyPort = Object.assign(Object.create(chaser) as Chaser, {
      replay: (sinceUs: number) => history.replay(sinceUs),
    });
    const antiEntropy = new AntiEntropy(stats, context, port, Math.random, OPTIONS, nowUs());
    history.start();
    cleanUp.add(() => history.stop());
    const connection = await cleanUp.use(connect({ servers: nats.url }), (it) => it.close());
    const timer = setInterval(() => antiEntropy.tick(nowUs(), history.state === 'replaying'), 100);
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
    expect(antiEntropy.counts.historyReplays).toBe(1);
  });
});
