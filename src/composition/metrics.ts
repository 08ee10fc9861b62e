/** Registers everything that is read when Prometheus scrapes. */
import type { Registry } from 'prom-client';
import type { Bus } from '../bus/bus';
import type { Config } from '../config/config';
import type { CausalContext } from '../core/causal-context';
import type { History } from '../history/history';
import { registerBusMetrics } from '../observability/bus-metrics';
import { registerHistoryMetrics } from '../observability/history-metrics';
import { type Limit, registerLimitMetrics } from '../observability/limit-metrics';
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
  readonly limits: readonly Limit[];
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
    limits,
  } = parts;
  registerProcessMetrics(registry, version, logDropped);
  registerViewMetrics(registry, replicator);
  registerSelectMetrics(registry, selector, replicator);
  registerWatchMetrics(registry, watchers);
  registerLimitMetrics(registry, limits);
  registerBusMetrics(registry, bus, replicator, republisher);
  registerHistoryMetrics(registry, history);
  registerPeerMetrics(registry, peers.exchange, context, peers.discovery, config.peers.dnsName);
}
