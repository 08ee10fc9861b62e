/**
 * The metrics of the view and of the event path. Everything here is read from the replica's own state when Prometheus
 * scrapes, so that an event costs no metric work; only the replication latency is observed as events arrive.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Counter, Gauge, collectDefaultMetrics } from 'prom-client';
import type { Bus, OnBusTrouble } from '../bus/bus';
import type { CausalContext } from '../core/causal-context';
import type { DnsDiscovery } from '../peers/dns-discovery';
import type { PeerExchange } from '../peers/peer-exchange';
import type { Replicator } from '../replication/replicator';
import type { Watchers } from '../watch/watchers';
import { PlainHistogram, registerHistogram } from './plain-histogram';

/** `replication_latency_ms`: from an event's time at its origin to its application here. */
export function replicationLatency(registry: Registry): (ms: number) => void {
  const name = 'replication_latency_ms';
  const help = 'Time from an event at its origin to its application here, in milliseconds';
  const histogram = new PlainHistogram([0.25, 0.5, 1, 2, 3, 4, 5, 8, 16, 32, 64, 128]);
  registerHistogram(registry, name, help, () => histogram.samples(name));
  return (ms) => histogram.observe(ms);
}

export function registerProcessMetrics(registry: Registry, version: string): void {
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'app_version_info',
    help: 'Always 1; the label is the running version',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
  new Gauge({ name: 'metacenter_node_alive', help: 'Always 1', registers: [registry] }).set(1);
}

export function registerBusMetrics(registry: Registry, bus: Bus, replicator: Replicator): void {
  const { counts } = replicator;
  gauge(registry, 'metacenter_bus_connected', '1 while the bus is connected', () => (bus.connected ? 1 : 0));
  counter(registry, 'metacenter_events_published_total', 'Events handed to the bus', 'type', () =>
    Object.entries(counts.published),
  );
  counter(registry, 'metacenter_events_unpublished_total', 'Events that the bus did not take', 'type', () =>
    Object.entries(counts.unpublished),
  );
  counter(registry, 'metacenter_events_received_total', 'Events applied from the bus', 'type', () => [
    ...Object.entries(counts.received),
    ['own', counts.own],
    ['unknown', counts.unknown],
  ]);
  counter(
    registry,
    'metacenter_events_dropped_total',
    'Messages that changed nothing',
    'reason',
    () => counts.dropped,
  );
  labelled(
    registry,
    'metacenter_clock_difference_ms',
    'Arrival minus event time of the latest event of each origin: clock difference plus delay',
    ['origin'],
    (set) => {
      for (const [origin, us] of replicator.clockDifferencesUs) set({ origin }, us / 1000);
    },
  );
}

export function registerViewMetrics(registry: Registry, replicator: Replicator): void {
  const { loadStats } = replicator;
  labelled(registry, 'model_engine_count', 'Engines listed for a cluster', ['model_name'], (set) => {
    for (const model of loadStats.engines.clusters) {
      if (model.rows.length > 0) set({ model_name: model.cluster }, model.rows.length);
    }
  });
  const perRow = (
    name: string,
    help: string,
    value: (row: { queuedRequests: number; promptLength: number }) => number,
  ) =>
    labelled(registry, name, help, ['model_name', 'engine_ip'], (set) => {
      for (const model of loadStats.engines.clusters) {
        for (const row of model.rows) set({ model_name: model.cluster, engine_ip: row.ip }, value(row));
      }
    });
  perRow('queued_num', 'Requests in flight at an engine', (row) => row.queuedRequests);
  perRow('prompt_length', 'Prompt tokens not yet prefilled at an engine', (row) => row.promptLength);
  gauge(registry, 'metacenter_requests_in_flight', 'Requests in flight', () => loadStats.inFlight.size);
  gauge(registry, 'metacenter_engines', 'Rows, idle ones included', () => loadStats.engines.listedCount);
  gauge(
    registry,
    'metacenter_deletes_waiting',
    'Deletes and prompt-deletes whose add has not come',
    () => loadStats.deletes.waiting + loadStats.promptDeletes.waiting,
  );
  gauge(registry, 'metacenter_finished_ids', 'Finished ids remembered', () => loadStats.deletes.size);
  counter(
    registry,
    'metacenter_requests_expired_total',
    'Requests dropped for their age: a gateway loses its deletes',
    undefined,
    () => [['', loadStats.expiredRequests]],
  );
}

export function registerWatchMetrics(registry: Registry, watchers: Watchers): void {
  const { counts } = watchers;
  gauge(registry, 'metacenter_watchers', 'Open streams of rows or of the overview', () => watchers.count);
  counter(registry, 'metacenter_watch_events_total', 'Events sent to watchers', undefined, () => [
    ['', counts.events],
  ]);
  counter(registry, 'metacenter_watchers_refused_total', 'Watchers turned away', undefined, () => [
    ['', counts.refused],
  ]);
}

export function gauge(registry: Registry, name: string, help: string, value: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });
}

type SetLabelled = (labels: Record<string, string>, value: number) => void;

/** A gauge whose series are exactly those that `fill` sets: what is gone loses its series. */
export function labelled(
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  fill: (set: SetLabelled) => void,
): void {
  new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      fill((labels, value) => this.set(labels, value));
    },
  });
}

/** A counter that is counted elsewhere, by one label or none. */
export function counter(
  registry: Registry,
  name: string,
  help: string,
  label: string | undefined,
  values: () => Iterable<readonly [string, number]>,
): void {
  new Counter({
    name,
    help,
    labelNames: label === undefined ? [] : [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [key, value] of values()) this.inc(label === undefined ? {} : { [label]: key }, value);
    },
  });
}

/** `dns_lookup_hosts`, and what peers, contexts and repairs look like. */
export function registerPeerMetrics(
  registry: Registry,
  exchange: PeerExchange,
  context: CausalContext,
  discovery: DnsDiscovery | undefined,
  domain = '',
): void {
  const { antiEntropy, joining } = exchange;
  const { counts } = antiEntropy;
  labelled(registry, 'dns_lookup_hosts', 'Addresses behind the discovery name', ['domain', 'host'], (set) => {
    for (const host of discovery?.hosts ?? []) set({ domain, host }, 1);
  });
  labelled(registry, 'metacenter_peers', 'Other replicas by state', ['state'], (set) => {
    const states = Object.values(exchange.peerStates());
    for (const state of ['ready', 'joining', 'unreachable']) {
      set({ state }, states.filter((each) => each === state).length);
    }
  });
  const count = (name: string, help: string, value: () => number) =>
    counter(registry, name, help, undefined, () => [['', value()]]);
  gauge(registry, 'metacenter_ready', '1 once the replica has caught up or given up waiting', () =>
    joining.current.ready ? 1 : 0,
  );
  gauge(registry, 'metacenter_missing_events', 'Lost events that are being chased', () => antiEntropy.chased);
  gauge(registry, 'metacenter_origins', 'Origins in the causal context', () => context.originCount);
  count('metacenter_dns_lookup_failures_total', 'Failed lookups', () => discovery?.failures ?? 0);
  count('metacenter_comparisons_total', 'Comparisons with peers', () => counts.compares);
  count('metacenter_snapshot_pulls_total', 'Snapshots pulled from peers', () => counts.pulls);
  count(
    'metacenter_snapshot_full_pulls_total',
    'Those of them that were of everything',
    () => counts.fullPulls,
  );
  count('metacenter_snapshot_failures_total', 'Comparisons and pulls that failed', () => counts.failures);
  count('metacenter_snapshot_records_total', 'Records merged from snapshots', () => counts.recordsMerged);
  count('metacenter_events_given_up_total', 'Lost events that no live peer had', () => counts.eventsGivenUp);
  count('metacenter_divergence_total', 'Lasting differences after equal events', () => counts.divergences);
}

/** Counts and logs what goes wrong on the bus without being a change of the connection. */
export class BusTroubles {
  private readonly troubles: Counter;

  constructor(
    registry: Registry,
    private readonly logger: Logger,
  ) {
    this.troubles = new Counter({
      name: 'metacenter_bus_troubles_total',
      help: 'Failed connection attempts, denied subjects, lost messages and other complaints, by kind',
      labelNames: ['kind'],
      registers: [registry],
    });
  }

  readonly count: OnBusTrouble = (kind, detail) => {
    this.troubles.inc({ kind });
    this.logger.warn({ kind, detail }, 'bus trouble');
  };
}
