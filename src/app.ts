/**
 * The composition root: builds every part by constructor, wires them, starts and stops them in order.
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
import { createDiscovery } from './composition/discovery';
import { createEventBus } from './composition/event-bus';
import { SelfReport } from './composition/self-report';
import type { Config } from './config/config';
import { CausalContext } from './core/causal-context';
import { LoadStats } from './core/load-stats';
import { snapshotLines } from './core/snapshot';
import { DebugServer } from './debug/debug-server';
import type { HttpDependencies } from './http/dependencies';
import { readPages } from './dashboard/pages';
import type { History } from './history/history';
import type { HttpServer } from './http/server';
import { registerHistoryMetrics } from './observability/history-metrics';
import {
  BusTroubles,
  registerBusMetrics,
  registerPeerMetrics,
  registerProcessMetrics,
  registerViewMetrics,
  registerWatchMetrics,
  replicationLatency,
} from './observability/metrics';
import { LatencyCounts } from './observability/latency-counts';
import { replicaOverview } from './observability/replica-overview';
import { registerLimitMetrics } from './observability/limit-metrics';
import type { DnsDiscovery } from './peers/dns-discovery';
import { PeerClient } from './peers/peer-client';
import type { PeerTransport } from './peers/peer-transport';
import { PeerExchange } from './peers/peer-exchange';
import { wallClock } from './replication/clock';
import { ExpiryRun } from './replication/expiry-run';
import { HeartbeatExchange } from './replication/heartbeat-exchange';
import { Replicator } from './replication/replicator';
import { Republisher } from './replication/republisher';
import { CONTEXT_LIMITS, antiEntropyOptions, loadStatsOptions } from './replication/limits';
import { LiveFiles } from './security/live-files';
import { RecentSums } from './watch/recent-sums';
import { WATCH_TIMES, Watchers } from './watch/watchers';
import { heartbeatSubject, loadWildcard } from './wire/subjects';

/** HTTP gets the larger part of the 10 s within which a stop must be over; the bus needs at most 4 s. */
const HTTP_STOP_MS = 5_000;

export class App {
  readonly origin = randomBytes(12).toString('base64url');
  private readonly nowUs = wallClock();
  private readonly stats: LoadStats;
  private readonly context: CausalContext;
  private readonly bus: Bus;
  /** Undefined where nothing is kept: without NATS, or switched off. */
  private readonly history: History | undefined;
  private readonly republisher: Republisher;
  private readonly replicator: Replicator;
  private readonly expiry: ExpiryRun;
  private readonly heartbeats: HeartbeatExchange;
  private readonly exchange: PeerExchange;
  private readonly discovery: DnsDiscovery | undefined;
  private readonly recentSums: RecentSums;
  private readonly watchers: Watchers;
  private readonly http: HttpServer;
  private readonly peerTransport: PeerTransport;
  private readonly files: LiveFiles;
  private readonly debug: DebugServer | undefined;
  private readonly report: SelfReport;

  constructor(
    private readonly config: Config,
    private readonly logger: Logger,
    version: string,
  ) {
    const { load, peers } = config;
    this.files = new LiveFiles(logger);
    const accessTokens = createAccessTokens(config.auth, this.files);
    this.peerTransport = createPeerTransport(peers, this.files);
    const registry = new Registry();
    const troubles = new BusTroubles(registry, logger);
    const options = loadStatsOptions(load);
    const contextOptions = {
      ...CONTEXT_LIMITS,
      forgetAfterUs: 2 * (options.expireAfterUs + options.finishedRetentionUs),
    };
    this.stats = new LoadStats(options);
    this.context = new CausalContext(contextOptions);
    const observeLatency = replicationLatency(registry);
    const latency = new LatencyCounts();
    const { bus, history } = createEventBus(
      config,
      `metadata-center ${this.origin}`,
      troubles.count,
      {
        isServing: () => this.exchange.joining.current.ready,
        onMessage: (payload) => this.replicator.receive(payload, 'replay'),
        onReplayed: (complete) => {
          if (complete) this.context.giveUpBeginnings();
        },
      },
      this.nowUs,
      logger,
    );
    this.bus = bus;
    this.history = history;
    this.republisher = new Republisher(this.bus);
    this.replicator = new Replicator(
      this.stats,
      this.context,
      this.bus,
      this.republisher,
      this.nowUs,
      (ms) => {
        observeLatency(ms);
        latency.observe(ms);
      },
      {
        origin: this.origin,
        subjectPrefix: config.subjectPrefix,
        maxInFlight: load.maxInFlight,
        maxEngines: load.maxEngines,
      },
    );
    this.expiry = new ExpiryRun(this.stats, this.nowUs, load.gcIntervalMs);
    this.heartbeats = new HeartbeatExchange(
      this.replicator,
      this.context,
      this.bus,
      this.nowUs,
      config.subjectPrefix,
    );
    const client = new PeerClient(
      { port: peers.port, timeoutMs: peers.requestTimeoutMs, context: contextOptions },
      this.peerTransport,
      () => accessTokens.forPeers,
      () => performance.now(),
    );
    this.exchange = new PeerExchange(
      this.stats,
      this.context,
      client,
      () => ({
        busConnected: this.bus.connected,
        peersKnown: this.discovery?.answered ?? true,
        history: this.history?.state ?? 'none',
        historyMissing: this.history?.missing,
      }),
      (sinceUs) => this.history?.replay(sinceUs) ?? false,
      this.nowUs,
      Math.random,
      logger,
      {
        antiEntropy: antiEntropyOptions(this.origin, options),
        context: contextOptions,
        healthIntervalMs: peers.dnsLookupIntervalMs,
        readyTimeoutMs: config.readyTimeoutMs,
      },
    );
    this.discovery = createDiscovery(peers, (addresses) => this.exchange.setPeers(addresses), logger);
    const report = new SelfReport({
      origin: this.origin,
      version,
      stats: this.stats,
      context: this.context,
      bus,
      history,
      exchange: this.exchange,
      nowUs: this.nowUs,
    });
    this.report = report;
    const overview = {
      version,
      readiness: () => report.readiness(),
      replicator: this.replicator,
      antiEntropy: this.exchange.antiEntropy,
      latency,
      watchers: () => this.watchers.count,
      nowUs: this.nowUs,
    };
    this.recentSums = new RecentSums(this.stats.engines, () => performance.now());
    this.watchers = new Watchers(
      this.stats.engines,
      () => replicaOverview(overview),
      () => this.recentSums.toJson(),
      {
        ...WATCH_TIMES,
        origin: this.origin,
        maxWatchers: config.http.maxWatchers,
      },
    );
    const guard = asksForTokens(config.auth) ? accessTokens : undefined;
    this.debug = config.debug && new DebugServer(guard, logger);
    const dependencies: HttpDependencies = {
      accessTokens: guard,
      replicator: this.replicator,
      replica: {
        status: (window) => report.status(window),
        snapshot: (selection) =>
          snapshotLines(this.stats, this.context, this.origin, report.ready, selection),
        nudged: (replica) => this.exchange.antiEntropy.nudged(replica),
      },
      watchers: this.watchers,
      replayPolicy: config.replayPolicy,
      readiness: () => report.readiness(),
      logger,
      registry,
      version,
      pages: readPages(),
      monotonicMs: () => performance.now(),
      randomBytes,
    };
    this.http = createHttpServer(config.http, dependencies, this.files);
    registerProcessMetrics(registry, version);
    registerViewMetrics(registry, this.replicator);
    registerWatchMetrics(registry, this.watchers);
    registerLimitMetrics(
      registry,
      report.limits(
        config,
        () => this.watchers.count,
        () => this.http.connections,
      ),
    );
    registerBusMetrics(registry, this.bus, this.replicator);
    registerHistoryMetrics(registry, this.history);
    registerPeerMetrics(registry, this.exchange, this.context, this.discovery, peers.dnsName);
  }

  /** Opens the port first, so that the replica answers whatever else can be reached; resolves with the port. */
  async start(): Promise<number> {
    const { http, debug, subjectPrefix } = this.config;
    const port = await this.http.listen(http.host, http.port);
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
    this.discovery?.start();
    this.exchange.start();
    this.expiry.start();
    this.recentSums.start();
    this.heartbeats.start();
    return port;
  }

  /** Stops taking requests, answers those that were accepted, then drains the bus. */
  async stop(): Promise<void> {
    this.report.stopping = true;
    this.watchers.stop();
    await this.http.stop(HTTP_STOP_MS);
    this.discovery?.stop();
    this.exchange.stop();
    this.expiry.stop();
    this.recentSums.stop();
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
    this.republisher.busConnected();
    this.exchange.antiEntropy.busConnected(this.nowUs());
  }
}
