/**
 * The composition root: builds every part by constructor, wires them, starts and stops them in order. The parts that take
 * more than a line to build are in `composition/`.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { Bus, BusStatus } from './bus/bus';
import { asksForTokens, createAccessTokens, createHttpServer, createPeerTls } from './composition/access';
import type { PrefixCache } from './cache/prefix-cache';
import { CacheJoin } from './composition/cache-join';
import { createEventBus, payloadProblem } from './composition/event-bus';
import { newFingerprinting } from './composition/fingerprinting';
import { LiveFiles } from './composition/live-files';
import { registerMetrics } from './composition/metrics';
import { cachedChunksOf, createPrefixCache } from './composition/prefix-cache';
import { createRepair, type RepairRoom } from './composition/repair';
import { SelfReport } from './composition/self-report';
import { createStreams, type Streams } from './composition/streams';
import { warmUp } from './composition/warm-up';
import type { Config } from './config/config';
import { CausalContext } from './core/causal-context';
import { LoadStats } from './core/load-stats';
import { readPages } from './dashboard/pages';
import { DebugServer } from './debug/debug-server';
import { createMessageClasses } from './http/api-request';
import type { HttpDependencies } from './http/dependencies';
import type { HttpServer } from './http/server';
import { BusTroubles, replicationLatency } from './observability/bus-metrics';
import { LimitWatch } from './observability/limit-watch';
import { SparseLines } from './observability/sparse-lines';
import { Answering } from './repair/answering';
import { SPEAKS, type Identity } from './repair/protocol';
import { wallClock } from './replication/clock';
import { ExpiryRun } from './replication/expiry-run';
import { LeaseClock } from './replication/lease-clock';
import { OwnerWatch } from './replication/owner-watch';
import { contextOptions, loadStatsOptions } from './replication/limits';
import { Inbox } from './replication/inbox';
import { Replicator } from './replication/replicator';
import { REPUBLISH_TICK_MS, Republisher } from './replication/republisher';
import { Selector } from './replication/selector';
import { cacheWildcard, heartbeatSubject, loadWildcard } from './wire/subjects';

/** HTTP gets the larger part of the 10 s within which a stop must be over; the bus needs at most 4 s. */
const HTTP_STOP_MS = 5_000;

/** What runs from the start of the replica to its end. */
interface Part {
  start(): unknown;
  stop(): unknown;
}

export interface AppIdentity {
  /** A new random id at each start. */
  readonly origin: string;
  readonly version: string;
  readonly logger: Logger;
  /** How many lines of the log could not be written. */
  readonly logDropped: () => number;
  /** Whether the process is new, so that what the first caller needs is still to be compiled. */
  readonly warmsUp: boolean;
}

export class App {
  private readonly logger: Logger;
  private readonly troubles: BusTroubles;
  private readonly nowUs = wallClock();
  private readonly replicator: Replicator;
  private readonly inbox: Inbox;
  private readonly cacheInbox: Inbox | undefined;
  private busWasConnected = false;
  private readonly cache: PrefixCache | undefined;
  private readonly republisher: Republisher;
  private readonly room: RepairRoom;
  private readonly streams: Streams;
  private readonly http: HttpServer;
  readonly report: SelfReport;
  /** Started in this order, stopped in reverse. */
  private readonly parts: readonly Part[];
  private started: Part[] = [];
  private port = 0;

  constructor(
    private readonly config: Config,
    { origin, version, logger, logDropped, warmsUp }: AppIdentity,
  ) {
    this.logger = logger;
    const { nowUs } = this;
    const { load, subjectPrefix } = config;
    const self: Identity = { replica: origin, deployment: subjectPrefix, speaks: SPEAKS };
    const registry = new Registry();
    const files = new LiveFiles(logger);
    const accessTokens = createAccessTokens(config.auth, files);
    const guard = asksForTokens(config.auth) ? accessTokens : undefined;
    const tls = createPeerTls(config.peers, files);

    // The view, and which events it shows.
    const stats = new LoadStats(loadStatsOptions(load, newFingerprinting()));
    const context = new CausalContext(contextOptions(stats.options));
    const expiry = new ExpiryRun(stats, nowUs, load.gcIntervalMs);
    const ownerWatch: OwnerWatch = new OwnerWatch(stats, new LeaseClock(), nowUs, {
      ready: () => room.repair.joining.ready,
      hears: () => bus.connected && room.repair.hears,
    });

    // How events come and go.
    const monotonicMs = (): number => performance.now();
    const lines = new SparseLines(monotonicMs);
    this.troubles = new BusTroubles(registry, logger, lines);
    const { bus, history } = createEventBus(
      config,
      `metadata-center ${origin}`,
      this.troubles.count,
      {
        isServing: () => this.room.repair.joining.ready,
        onMessage: (payload) => this.replicator.receive(payload, 'replay'),
        onReplayed: (complete) => {
          if (complete) context.giveUpBeginnings();
        },
      },
      nowUs,
      logger,
    );
    const latency = replicationLatency(registry);
    this.republisher = new Republisher(bus);
    this.replicator = new Replicator({
      loadStats: stats,
      context,
      bus,
      republisher: this.republisher,
      nowUs,
      observeLatency: (ms) => latency.observe(ms),
      options: { ...load, origin, subjectPrefix },
    });
    const { replicator } = this;
    this.inbox = new Inbox((payload) => replicator.receive(payload), monotonicMs);

    const cache = (this.cache = createPrefixCache(config, bus, nowUs, randomBytes));
    // Of its own: what is advisory takes no room from load events.
    this.cacheInbox = cache && new Inbox((payload) => cache.receive(payload), monotonicMs);

    // The other replicas, and what they and everyone else are told of this one.
    const surroundings = { self, stats, context, bus, history, nowUs };
    const room: RepairRoom = createRepair(config, {
      ...surroundings,
      tls,
      tokens: () => accessTokens.forPeers,
      // What is owned by the dead is out of the rows before anybody reads them.
      onReady: () => ownerWatch.look(),
      onTooLarge: () => replicator.counts.tooLarge.heartbeat++,
      logger,
      lines,
    });
    this.room = room;
    const { repair } = room;
    const report = new SelfReport({ stats, context, bus, history, discovery: room.discovery, nowUs, repair });
    this.report = report;
    report.warming = warmsUp;
    const answering = new Answering({
      self,
      version,
      stats,
      context,
      bus,
      history: () => report.history(),
      ready: () => report.ready,
      missing: () => repair.missing,
      cache: this.cache?.index,
      nowUs,
    });
    const readiness = () => report.readiness();
    this.streams = createStreams(
      stats.engines,
      {
        version,
        readiness,
        replicator,
        repair,
        latency,
        cache: this.cache,
        nowUs,
        limits: () => limits,
        answers: () => this.http.metrics.totals(),
      },
      { origin, maxWatchers: config.http.maxWatchers },
    );
    const { watchers } = this.streams;

    const selector = new Selector(
      replicator,
      { caughtUp: () => repair.joining.ready, degraded: () => report.degraded },
      config.copyPolicy === 'accept',
      this.cache && cachedChunksOf(this.cache.index, nowUs),
    );

    // What answers.
    const debug = config.debug && new DebugServer(guard, logger);
    const httpDependencies: HttpDependencies = {
      accessTokens: guard,
      replicator,
      engines: stats.engines,
      owners: stats.owners,
      selector,
      replica: answering,
      cache: this.cache,
      watchers,
      copyPolicy: config.copyPolicy,
      readiness,
      logger,
      registry,
      version,
      pages: readPages(),
      messageClasses: createMessageClasses(monotonicMs),
      monotonicMs,
      randomBytes,
    };
    this.http = createHttpServer(config.http, httpDependencies, files);
    const { republisher, http } = this;
    const limits = report.limits(
      config,
      replicator.counts.refused,
      [this.inbox, ...(this.cacheInbox ? [this.cacheInbox] : [])],
      () => watchers.count,
      () => http.connections,
    );
    const limitWatch = new LimitWatch(limits, (fields, message) => logger.warn(fields, message), monotonicMs);
    report.limitWatch = limitWatch;
    const traffic = {
      bus,
      history,
      replicator,
      selector,
      republisher,
      room,
      watchers,
      cache: this.cache,
      nowUs,
    };
    registerMetrics(registry, config, { version, logDropped, context, limits, ...traffic });

    this.parts = [
      files,
      { start: () => undefined, stop: () => lines.finish() },
      { start: () => this.startBus(bus), stop: () => bus.stop() },
      ...(history ? [history] : []),
      { start: () => undefined, stop: () => room.client.stop() },
      { start: () => undefined, stop: () => this.finishPublishing() },
      every(REPUBLISH_TICK_MS, () => republisher.tick(performance.now())),
      ...(room.discovery ? [room.discovery] : []),
      ownerWatch,
      room.runner,
      expiry,
      ...(this.cache ? [this.cache] : []),
      ...(this.cache && room.discovery
        ? [
            new CacheJoin({
              index: this.cache.index,
              client: room.client,
              isReady: () => report.ready,
              peers: () => repair.peers,
              nowUs,
              logger,
            }),
          ]
        : []),
      limitWatch,
      this.streams.recentSums,
      ...(debug ? [listening(debug, config.debug)] : []),
      {
        start: async () => {
          this.port = await http.listen(config.http.host, config.http.port);
          if (warmsUp)
            void warmUp(httpDependencies, config.nats !== undefined).then(() => (report.warming = false));
        },
        stop: async () => {
          report.stopping = true;
          watchers.stop();
          await http.stop(HTTP_STOP_MS);
        },
      },
    ];
  }

  /** Opens the port at the end, when nothing has yet been waited for; resolves with it. */
  async start(): Promise<number> {
    for (const part of this.parts) {
      this.started.unshift(part);
      await part.start();
    }
    return this.port;
  }

  /** Stops taking requests, answers those that were accepted, then drains the bus. */
  async stop(): Promise<void> {
    while (this.started.length > 0) await this.started.shift()!.stop();
  }

  private finishPublishing(): void {
    const lost = this.republisher.finish();
    if (lost > 0) this.troubles.count('write', `stopped, and ${lost} events were never published`, lost);
  }

  private startBus(bus: Bus): void {
    const { subjectPrefix } = this.config;
    const { cacheInbox } = this;
    bus.start(
      {
        [loadWildcard(subjectPrefix)]: (payload) => this.inbox.receive(payload),
        [heartbeatSubject(subjectPrefix)]: (payload) => {
          if (!this.room.runner.hear(payload)) this.replicator.counts.drop('heartbeat');
        },
        ...(cacheInbox && {
          [cacheWildcard(subjectPrefix)]: (payload: Uint8Array) => cacheInbox.receive(payload),
        }),
      },
      (status) => this.busChanged(bus, status),
    );
  }

  private busChanged(bus: Bus, { connected, reason }: BusStatus): void {
    // A bus that was never there is told of as a trouble.
    if (connected !== this.busWasConnected) {
      this.logger[connected ? 'info' : 'warn']({ reason }, connected ? 'bus connected' : 'bus lost');
    }
    this.busWasConnected = connected;
    if (!connected) return;
    const problem = payloadProblem(bus);
    if (problem !== undefined) this.troubles.count('max-payload', problem);
    this.republisher.busConnected();
  }
}

function every(intervalMs: number, action: () => void): Part {
  let timer: NodeJS.Timeout | undefined;
  return {
    start: () => {
      timer = setInterval(action, intervalMs);
    },
    stop: () => clearInterval(timer),
  };
}

function listening(server: DebugServer, { host, port }: NonNullable<Config['debug']>): Part {
  return { start: () => server.listen(host, port), stop: () => server.stop() };
}
