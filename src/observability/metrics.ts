/**
 * The metrics of the view and of the event path. Everything here is read from the replica's own state when Prometheus
 * scrapes, so that an event costs no metric work; only the replication latency is observed as events arrive.
 */
import type { Registry } from 'prom-client';
import { Counter, Gauge, Histogram, collectDefaultMetrics } from 'prom-client';
import type { Bus } from '../bus/bus';
import type { Replicator } from '../replication/replicator';

/** `replication_latency_ms`: from an event's time at its origin to its application here. */
export function replicationLatency(registry: Registry): (ms: number) => void {
  const histogram = new Histogram({
    name: 'replication_latency_ms',
    help: 'Time from an event at its origin to its application here, in milliseconds',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers: [registry],
  });
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
  gauge(registry, 'metacenter_engines', 'Rows held, idle ones included', () => loadStats.engines.size);
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

function gauge(registry: Registry, name: string, help: string, value: () => number): void {
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
function labelled(
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
function counter(
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
