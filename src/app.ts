/**
 * The composition root: builds every part by constructor, wires them, starts and stops them in order. The parts that take
 * more than a line to build are in `composition/`.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { Bus, BusStatus } from './bus/bus';
import {
  asksForTokens,
  createAccessTokens,
  createHttpServer,
  createPeerTransport,
} from './composition/access';
import { createEventBus, payloadProblem } from './composition/event-bus';
import { LiveFiles } from './composition/live-files';
import { registerMetrics } from './composition/metrics';
import { createPeers, type Peers } from './composition/peers';
import { SelfReport } from './composition/self-report';
import { createStreams, type Streams } from './composition/streams';
import { warmUp } from './composition/warm-up';
import type { Config } from './config/config';
import { CausalContext } from './core/causal-context';
import { LoadStats } from './core/load-stats';
import { snapshotLines } from './core/snapshot';
import { readPages } from './dashboard/pages';
import { DebugServer } from './debug/debug-server';
import type { History } from './history/history';
import { createMessageClasses } from './http/api-request';
import type { HttpDependencies } from './http/dependencies';
import type { HttpServer } from './http/server';
import { BusTroubles, replicationLatency } from './observability/bus-metrics';
import { LatencyCounts } from './observability/latency-counts';
import { LimitWatch } from './observability/limit-watch';
import type { PeerTransport } from './peers/peer-transport';
import { wallClock } from './replication/clock';
import { ExpiryRun } from './replication/expiry-run';
import { HeartbeatExchange } from './replication/heartbeat-exchange';
import { contextOptions, loadStatsOptions } from './replication/limits';
import { Replicator } from './replication/replicator';
import { Republisher } from './replication/republisher';
import { Selector } from './replication/selector';
import { heartbeatSubject, loadWildcard } from './wire/subjects';

/** HTTP gets the larger part of the 10 s within which a stop must be over; the bus needs at most 4 s. */
const HTTP_STOP_MS = 5_000;

export interface AppIdentity {
  /** A new random id at each start. */
  readonly origin: string;
  readonly version: string;
  readonly logger: Logger;
  /** How many lines of the log could not be written. */
  readonly logDropped: () => number;
}

export class App {
  private readonly logger: Logger;
  private readonly nowUs = wallClock();
  private readonly bus: Bus;
  /** Undefined where nothing is kept: without NATS, or switched off. */
  private readonly history: History | undefined;
  private readonly troubles: BusTroubles;
  private readonly republisher: Republisher;
  private readonly replicator: Replicator;
  private readonly expiry: ExpiryRun;
  private readonly heartbeats: HeartbeatExchange;
  private readonly peers: Peers;
  private readonly streams: Streams;
  private readonly http: HttpServer;
  private readonly peerTransport: PeerTransport;
  private readonly files: LiveFiles;
  private readonly debug: DebugServer | undefined;
  private readonly report: SelfReport;
  private readonly warm: () => Promise<void>;
  private readonly limitWatch: LimitWatch;

  constructor(
    private readonly config: Config,
    { origin, version, logger, logDropped }: AppIdentity,
  ) {
    this.logger = logger;
    const { nowUs } = this;
    const { load, subjectPrefix } = config;
    const registry = new Registry();
    this.files = new LiveFiles(logger);
    const accessTokens = createAccessTokens(config.auth, this.files);
    const guard = asksForTokens(config.auth) ? accessTokens : undefined;
    this.peerTransport = createPeerTransport(config.peers, this.files);

    // The view, and which events it shows.
    const stats = new LoadStats(loadStatsOptions(load));
    const context = new CausalContext(contextOptions(stats.options));
    this.expiry = new ExpiryRun(stats, nowUs, load.gcIntervalMs);

    // How events come and go.
    this.troubles = new BusTroubles(registry, logger);
    const { bus, history } = createEventBus(
      config,
      `metadata-center ${origin}`,
      this.troubles.count,
      {
        isServing: () => this.peers.exchange.joining.current.ready,
        onMessage: (payload) => this.replicator.receive(payload, 'replay'),
        onReplayed: (complete) => {
          if (complete) context.giveUpBeginnings();
        },
      },
      nowUs,
      logger,
    );
    this.bus = bus;
    this.history = history;
    const latency = new LatencyCounts();
    const observeLatency = replicationLatency(registry);
    this.republisher = new Republisher(bus);
    this.replicator = new Replicator({
      loadStats: stats,
      context,
      bus,
      republisher: this.republisher,
      nowUs,
      observeLatency: (ms) => {
        observeLatency(ms);
        latency.observe(ms);
      },
      options: { origin, subjectPrefix, maxInFlight: load.maxInFlight, maxEngines: load.maxEngines },
    });
    const { replicator } = this;
    this.heartbeats = new HeartbeatExchange(replicator, context, bus, nowUs, subjectPrefix);

    // The other replicas, and what they and everyone else are told of this one.
    const surroundings = { origin, stats, context, bus, history, nowUs };
    const { peerTransport: transport } = this;
    this.peers = createPeers(config, { ...surroundings, transport, accessTokens, logger });
    const { exchange } = this.peers;
    const report = new SelfReport({ ...surroundings, version, exchange });
    this.report = report;
    const readiness = () => report.readiness();
    this.streams = createStreams(
      stats.engines,
      { version, readiness, replicator, antiEntropy: exchange.antiEntropy, latency, nowUs },
      { origin, maxWatchers: config.http.maxWatchers },
    );
    const { watchers } = this.streams;

    const selector = new Selector(
      replicator,
      { caughtUp: () => exchange.joining.current.ready, degraded: () => report.degraded },
      config.replayPolicy === 'accept',
    );

    // What answers.
    const monotonicMs = (): number => performance.now();
    this.debug = config.debug && new DebugServer(guard, logger);
    const httpDependencies: HttpDependencies = {
      accessTokens: guard,
      replicator,
      selector,
      replica: {
        status: (window) => report.status(window),
        snapshot: (selection) => snapshotLines(stats, context, origin, report.ready, selection),
        nudged: (replica) => exchange.antiEntropy.nudged(replica),
      },
      watchers,
      replayPolicy: config.replayPolicy,
      readiness,
      logger,
      registry,
      version,
      pages: readPages(),
      messageClasses: createMessageClasses(monotonicMs),
      monotonicMs,
      randomBytes,
    };
    this.warm = () => warmUp(httpDependencies, load);
    this.http = createHttpServer(config.http, httpDependencies, this.files);
    const { republisher, peers, http } = this;
    const limits = report.limits(
      config,
      replicator.counts.refused,
      () => watchers.count,
      () => http.connections,
    );
    this.limitWatch = report.limitWatch = new LimitWatch(
      limits,
      (fields, message) => logger.warn(fields, message),
      () => performance.now(),
    );
    const traffic = { bus, history, replicator, selector, republisher, peers, watchers };
    registerMetrics(registry, config, { version, logDropped, context, limits, ...traffic });
  }

  /** Opens the port first, so that the replica answers whatever else can be reached; resolves with the port. */
  async start(): Promise<number> {
    const { http, debug, subjectPrefix } = this.config;
    const port = await this.http.listen(http.host, http.port);
    void this.warm().then(() => (this.report.warm = true));
    if (debug) await this.debug?.listen(debug.host, debug.port);
    this.files.start();
    this.bus.start(
      {
        [loadWildcard(subjectPrefix)]: (payload) => this.replicator.receive(payload),
        [heartbeatSubject(subjectPrefix)]: (payload) => this.heartbeats.receive(payload),
      },
      (status) => this.busChanged(status),
    );
    this.history?.start();
    this.peers.discovery?.start();
    this.peers.exchange.start();
    this.expiry.start();
    this.limitWatch.start();
    this.streams.recentSums.start();
    this.heartbeats.start();
    return port;
  }

  /** Stops taking requests, answers those that were accepted, then drains the bus. */
  async stop(): Promise<void> {
    this.report.stopping = true;
    this.streams.watchers.stop();
    await this.http.stop(HTTP_STOP_MS);
    this.peers.discovery?.stop();
    this.peers.exchange.stop();
    this.expiry.stop();
    this.limitWatch.stop();
    this.streams.recentSums.stop();
    this.heartbeats.stop();
    this.republisher.finish();
    this.peerTransport.close();
    this.files.stop();
    await this.debug?.stop();
    await this.history?.stop();
    await this.bus.stop();
  }

  private busChanged({ connected, reason }: BusStatus): void {
    this.logger[connected ? 'info' : 'warn']({ reason }, connected ? 'bus connected' : 'bus lost');
    if (!connected) return;
    const problem = payloadProblem(this.bus);
    if (problem !== undefined) this.troubles.count('max-payload', problem);
    this.republisher.busConnected();
    this.peers.exchange.antiEntropy.busConnected();
  }
}
