/**
 * The composition root: builds every part by constructor, wires them, starts and stops them in order.
 */
import { randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { Bus, BusStatus } from './bus/bus';
import { InProcessBus, InProcessHub } from './bus/in-process-bus';
import { NATS_BUS_DEFAULTS, NatsBus } from './bus/nats-bus';
import type { Config } from './config/config';
import { CausalContext } from './core/causal-context';
import { LoadStats } from './core/load-stats';
import { snapshotLines } from './core/snapshot';
import { DebugServer } from './debug/debug-server';
import type { HttpDependencies, Readiness } from './http/dependencies';
import { httpLimits } from './http/limits';
import { readPages } from './dashboard/pages';
import { History } from './history/history';
import { HttpServer } from './http/server';
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
import { type Limit, registerLimitMetrics } from './observability/limit-metrics';
import { DnsDiscovery } from './peers/dns-discovery';
import { PeerClient } from './peers/peer-client';
import { PeerTransport, checkedAuthorities } from './peers/peer-transport';
import { PeerExchange } from './peers/peer-exchange';
import type { StatusJson } from './peers/status';
import { digestsJson } from './peers/status';
import { wallClock } from './replication/clock';
import { ExpiryRun } from './replication/expiry-run';
import { HeartbeatExchange } from './replication/heartbeat-exchange';
import { Replicator } from './replication/replicator';
import type { DigestWindow } from './replication/state-comparison';
import { digestsOf } from './replication/state-comparison';
import { CONTEXT_LIMITS, antiEntropyOptions, loadStatsOptions } from './replication/limits';
import { AccessTokens } from './security/access-tokens';
import { LiveFiles } from './security/live-files';
import { parseTokenFile } from './security/token-list';
import { RecentSums } from './watch/recent-sums';
import { WATCH_TIMES, Watchers } from './watch/watchers';
import { loadWildcard, replicaWildcard } from './wire/subjects';

/** HTTP gets the larger part of the 10 s within which a stop must be over; the bus needs at most 4 s. */
const HTTP_STOP_MS = 5_000;

const NO_HISTORY = { state: 'none', available: false, reason: 'switched off, or there is no NATS_URL' };

export class App {
  readonly origin = randomBytes(12).toString('base64url');
  private readonly nowUs = wallClock();
  private readonly stats: LoadStats;
  private readonly context: CausalContext;
  private readonly bus: Bus;
  /** Undefined where nothing is kept: without NATS, or switched off. */
  private readonly history: History | undefined;
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
  private stopping = false;

  constructor(
    private readonly config: Config,
    private readonly logger: Logger,
    private readonly version: string,
  ) {
    const { load, peers } = config;
    this.files = new LiveFiles(logger);
    const accessTokens = this.createAccessTokens();
    this.peerTransport = this.createPeerTransport();
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
    const { bus, history } = this.createBus(troubles);
    this.bus = bus;
    this.history = history;
    this.replicator = new Replicator(
      this.stats,
      this.context,
      this.bus,
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
    this.discovery = peers.dnsName === undefined ? undefined : this.createDiscovery(peers.dnsName);
    const overview = {
      version,
      readiness: () => this.readiness(),
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
    const asksForTokens = config.auth.tokens.length > 0 || config.auth.tokensFile !== undefined;
    const guard = asksForTokens ? accessTokens : undefined;
    this.debug = config.debug && new DebugServer(guard, logger);
    this.http = this.createHttpServer({
      accessTokens: guard,
      replicator: this.replicator,
      replica: {
        status: (window) => this.status(window),
        snapshot: (selection) =>
          snapshotLines(
            this.stats,
            this.context,
            this.origin,
            this.exchange.joining.current.ready,
            selection,
          ),
        nudged: (replica) => this.exchange.antiEntropy.nudged(replica),
      },
      watchers: this.watchers,
      replayPolicy: config.replayPolicy,
      readiness: () => this.readiness(),
      logger,
      registry,
      version,
      pages: readPages(),
      monotonicMs: () => performance.now(),
      randomBytes,
    });
    registerProcessMetrics(registry, version);
    registerViewMetrics(registry, this.replicator);
    registerWatchMetrics(registry, this.watchers);
    registerLimitMetrics(registry, this.limits());
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
    this.bus.start([loadWildcard(subjectPrefix), replicaWildcard(subjectPrefix)], {
      onMessage: (subject, payload) => {
        if (!this.heartbeats.receive(subject, payload)) this.replicator.receive(payload);
      },
      onStatus: (status) => this.busChanged(status),
    });
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
    this.stopping = true;
    this.watchers.stop();
    await this.http.stop(HTTP_STOP_MS);
    this.discovery?.stop();
    this.exchange.stop();
    this.expiry.stop();
    this.recentSums.stop();
    this.heartbeats.stop();
    this.peerTransport.close();
    this.files.stop();
    await this.debug?.stop();
    await this.history?.stop();
    await this.bus.stop();
  }

  private limits(): Limit[] {
    const { config, stats, context, watchers, http } = this;
    const { inFlightCeiling, engineCeiling, finishedCeiling, waitingCeiling } = stats.options;
    const inFlight = (): number => stats.inFlight.size;
    const engines = (): number => stats.engines.size;
    const finished = (): number => Math.max(stats.deletes.size, stats.promptDeletes.size);
    const waiting = (): number => Math.max(stats.deletes.waiting, stats.promptDeletes.waiting);
    return [
      { name: 'in_flight', most: config.load.maxInFlight, use: inFlight },
      { name: 'in_flight_ceiling', most: inFlightCeiling, use: inFlight },
      { name: 'engines', most: config.load.maxEngines, use: engines },
      { name: 'engines_ceiling', most: engineCeiling, use: engines },
      { name: 'finished', most: finishedCeiling, use: finished },
      { name: 'deletes_waiting', most: waitingCeiling, use: waiting },
      { name: 'origins', most: CONTEXT_LIMITS.maxOrigins, use: () => context.originCount },
      { name: 'watchers', most: config.http.maxWatchers, use: () => watchers.count },
      { name: 'connections', most: httpLimits.maxConnections, use: () => http.connections },
    ];
  }

  private createAccessTokens(): AccessTokens {
    const { tokens, tokensFile, peerToken } = this.config.auth;
    const accessTokens = new AccessTokens(tokens, peerToken);
    if (tokensFile !== undefined) {
      this.files.follow('METADATA_CENTER_AUTH_TOKENS_FILE', [tokensFile], ([text]) =>
        accessTokens.replace(parseTokenFile(text!.toString())),
      );
    }
    return accessTokens;
  }

  private createPeerTransport(): PeerTransport {
    const { tls } = this.config.peers;
    let ca: Buffer | undefined;
    if (tls?.caFile !== undefined) {
      this.files.follow('REPLICA_CLIENT_TLS_CA_FILE', [tls.caFile], ([pem]) => {
        ca = checkedAuthorities(pem!);
      });
    }
    return new PeerTransport(tls && { serverName: tls.serverName, ca: () => ca });
  }

  private createHttpServer(dependencies: HttpDependencies): HttpServer {
    const { tls } = this.config.http;
    if (!tls) return new HttpServer(dependencies);
    const server = new HttpServer(dependencies, httpLimits, 'https');
    const files = [tls.certFile, tls.keyFile];
    this.files.follow('HTTP_TLS_CERT_FILE and HTTP_TLS_KEY_FILE', files, ([cert, key]) =>
      server.useKeyPair(cert!, key!),
    );
    return server;
  }

  private createBus(troubles: BusTroubles): { bus: Bus; history: History | undefined } {
    const { nats, history, load, subjectPrefix } = this.config;
    const onTrouble = troubles.count;
    if (!nats) return { bus: new InProcessBus(new InProcessHub(), onTrouble), history: undefined };
    const clientName = `metadata-center ${this.origin}`;
    const options = { ...NATS_BUS_DEFAULTS, ...nats, clientName };
    const bus = new NatsBus(options, Math.random, onTrouble);
    if (history.mode === 'off') return { bus, history: undefined };
    const { storage, replicas, maxBytes } = history;
    // A delete has a say for so long after its time; an add for less.
    const maxAgeMs = load.expireAfterMs + load.finishedRetentionMs;
    const historyOptions = {
      required: history.mode === 'required',
      stream: { subjectPrefix, storage, replicas, maxBytes, maxAgeMs },
      connection: { ...options, clientName: `${clientName} history` },
    };
    const events = {
      isServing: () => this.exchange.joining.current.ready,
      onMessage: (payload: Uint8Array) => this.replicator.receive(payload, 'replay'),
      onReplayed: (complete: boolean) => {
        if (complete) this.context.giveUpBeginnings();
      },
    };
    return {
      bus,
      history: new History(historyOptions, () => bus.server, events, this.nowUs, this.logger),
    };
  }

  private createDiscovery(host: string): DnsDiscovery {
    const { dnsLookupIntervalMs, ownAddress } = this.config.peers;
    const own = ownAddress === undefined ? hostAddresses() : [ownAddress];
    return new DnsDiscovery(
      { host, intervalMs: dnsLookupIntervalMs, own },
      {
        onPeers: (addresses) => {
          this.logger.info({ peers: addresses }, 'peers changed');
          this.exchange.setPeers(addresses);
        },
        onFailing: (reason) => {
          if (reason === undefined) this.logger.info({ host }, 'peer lookups work again');
          else this.logger.warn({ host, reason }, 'peer lookups fail');
        },
      },
      () => performance.now(),
    );
  }

  private busChanged({ connected, reason }: BusStatus): void {
    this.logger[connected ? 'info' : 'warn']({ reason }, connected ? 'bus connected' : 'bus lost');
    if (connected) this.exchange.antiEntropy.busConnected(this.nowUs());
  }

  private readiness(): Readiness {
    const joining = this.exchange.joining.current;
    const ready = joining.ready && !this.stopping;
    const degraded =
      !this.bus.connected || !(joining.ready && joining.caughtUp) || this.history?.degraded === true;
    const body = {
      ready,
      degraded,
      reason: this.stopping
        ? 'shutting down'
        : !this.bus.connected && ready
          ? 'the bus is not connected'
          : ready && this.history?.degraded === true
            ? `history: ${this.history.problem}`
            : joining.reason,
      replica: this.origin,
      bus: { connected: this.bus.connected, reason: this.bus.reason },
      peers: this.exchange.peerStates(),
      history: this.history?.toJSON() ?? NO_HISTORY,
      missing_events: this.exchange.antiEntropy.chased,
    };
    return { ready, body };
  }

  private status(window: DigestWindow | undefined): StatusJson {
    return {
      replica: this.origin,
      version: this.version,
      ready: this.exchange.joining.current.ready && !this.stopping,
      bus: { connected: this.bus.connected, reason: this.bus.reason },
      history: this.history?.toJSON() ?? NO_HISTORY,
      counts: {
        in_flight: this.stats.inFlight.size,
        finished: this.stats.deletes.size,
        engines: this.stats.engines.size,
        missing_events: this.exchange.antiEntropy.chased,
      },
      context: this.context.toJSON(),
      ...(window && { digests: digestsJson(digestsOf(this.stats, window)) }),
    };
  }
}

function hostAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).map(({ address }) => address),
  );
}
