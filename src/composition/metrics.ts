/** Registers everything that is read when Prometheus scrapes. */
import type { Registry } from 'prom-client';
import type { Bus } from '../bus/bus';
import type { PrefixCache } from '../cache/prefix-cache';
import type { Config } from '../config/config';
import type { CausalContext } from '../core/causal-context';
import type { History } from '../history/history';
import { registerBusMetrics } from '../observability/bus-metrics';
import { registerCacheMetrics } from '../observability/cache-metrics';
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
import type { RepairRoom } from './repair';

export interface MeasuredParts {
  readonly version: string;
  readonly logDropped: () => number;
  readonly context: CausalContext;
  readonly bus: Bus;
  readonly history: History | undefined;
  readonly replicator: Replicator;
  readonly selector: Selector;
  readonly republisher: Republisher;
  readonly room: RepairRoom;
  readonly watchers: Watchers;
  readonly cache: PrefixCache | undefined;
  readonly nowUs: () => number;
  readonly limits: readonly Limit[];
}

export function registerMetrics(registry: Registry, config: Config, parts: MeasuredParts): void {
  const { version, logDropped, context, bus, history, replicator, republisher, room, watchers, limits } =
    parts;
  registerProcessMetrics(registry, version, logDropped);
  registerViewMetrics(registry, replicator.loadStats);
  registerSelectMetrics(registry, parts.selector, replicator.loadStats);
  registerWatchMetrics(registry, watchers);
  registerCacheMetrics(registry, parts.cache, parts.nowUs);
  registerLimitMetrics(registry, limits);
  registerBusMetrics(registry, bus, replicator, republisher);
  registerHistoryMetrics(registry, history);
  registerPeerMetrics(registry, room.repair, context, room.discovery, config.peers.dnsName);
}
