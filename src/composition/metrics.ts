/** Registers everything that is read when Prometheus scrapes. */
import type { Registry } from 'prom-client';
import type { Bus } from '../bus/bus';
import type { Config } from '../config/config';
import type { CausalContext } from '../core/causal-context';
import type { History } from '../history/history';
import type { HttpServer } from '../http/server';
import { registerBusMetrics } from '../observability/bus-metrics';
import { registerHistoryMetrics } from '../observability/history-metrics';
import { registerLimitMetrics } from '../observability/limit-metrics';
import { registerPeerMetrics } from '../observability/peer-metrics';
import { registerProcessMetrics } from '../observability/process-metrics';
import { registerSelectMetrics } from '../observability/select-metrics';
import { registerViewMetrics } from '../observability/view-metrics';
import { registerWatchMetrics } from '../observability/watch-metrics';
import type { Replicator } from '../replication/replicator';
import type { Selector } from '../replication/selector';
import type { Republisher } from '../replication/republisher';
import type { Watchers } from '../watch/watchers';
import type { Peers } from './peers';
import type { SelfReport } from './self-report';

export interface MeasuredParts {
  readonly version: string;
  readonly logDropped: () => number;
  readonly context: CausalContext;
  readonly bus: Bus;
  readonly history: History | undefined;
  readonly replicator: Replicator;
  readonly selector: Selector;
  readonly republisher: Republisher;
  readonly peers: Peers;
  readonly watchers: Watchers;
  readonly http: HttpServer;
  readonly report: SelfReport;
}

export function registerMetrics(registry: Registry, config: Config, parts: MeasuredParts): void {
  const {
    version,
    logDropped,
    context,
    bus,
    history,
    replicator,
    selector,
    republisher,
    peers,
    watchers,
    http,
    report,
  } = parts;
  const limits = report.limits(
    config,
    () => watchers.count,
    () => http.connections,
  );
  registerProcessMetrics(registry, version, logDropped);
  registerViewMetrics(registry, replicator);
  registerSelectMetrics(registry, selector, replicator);
  registerWatchMetrics(registry, watchers);
  registerLimitMetrics(registry, limits);
  registerBusMetrics(registry, bus, replicator, republisher);
  registerHistoryMetrics(registry, history);
  registerPeerMetrics(registry, peers.exchange, context, peers.discovery, config.peers.dnsName);
}
