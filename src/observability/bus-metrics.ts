/** The metrics of the event path: what is published and received, how late it comes, and what goes wrong on the bus. */
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { Bus, OnBusTrouble } from '../bus/bus';
import type { Replicator } from '../replication/replicator';
import type { Republisher } from '../replication/republisher';
import { PlainHistogram, registerHistogram } from './plain-histogram';
import type { SparseLines } from './sparse-lines';
import { counter, gauge, labelledCounter, labelledGauge } from './scraped';

export function registerBusMetrics(
  registry: Registry,
  bus: Bus,
  replicator: Replicator,
  republisher: Republisher,
): void {
  const { counts } = replicator;
  gauge(registry, 'metacenter_bus_connected', '1 while the bus is connected', () => (bus.connected ? 1 : 0));
  labelledCounter(registry, 'metacenter_events_published_total', 'Events handed to the bus', 'type', () =>
    Object.entries(counts.published),
  );
  labelledCounter(
    registry,
    'metacenter_events_unpublished_total',
    'Events that the bus did not take at once',
    'type',
    () => Object.entries(counts.unpublished),
  );
  labelledCounter(
    registry,
    'metacenter_messages_too_large_total',
    'Messages that were not published, since they are larger than the server takes; peers fetch what events say',
    'type',
    () => Object.entries(counts.tooLarge),
  );
  gauge(registry, 'metacenter_events_kept', 'Events that wait to be published again', () => republisher.size);
  counter(
    registry,
    'metacenter_events_kept_dropped_total',
    'Events that were too many to keep until the bus is back: peers fetch them',
    () => republisher.dropped,
  );
  labelledCounter(registry, 'metacenter_events_received_total', 'Events applied from the bus', 'type', () => [
    ...Object.entries(counts.received),
    ['own', counts.own],
    ['unknown', counts.unknown],
  ]);
  labelledCounter(
    registry,
    'metacenter_events_dropped_total',
    'Messages that changed nothing',
    'reason',
    () => counts.dropped,
  );
  counter(
    registry,
    'metacenter_requests_refreshed_total',
    'Refreshes of requests that were taken, whether or not they took an event',
    () => counts.refreshed,
  );
  labelledGauge(
    registry,
    'metacenter_clock_difference_ms',
    'Arrival minus event time of the latest event of each origin: clock difference plus delay',
    ['origin'],
    (set) => {
      for (const [origin, us] of replicator.clockDifferencesUs) set({ origin }, us / 1000);
    },
  );
}

const LATENCY_BUCKETS_MS = [0.25, 0.5, 1, 2, 3, 4, 5, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192];

/**
 * `replication_latency_ms`: from an event's time at its origin to its application here. The only metric that is observed
 * as events arrive; the dashboard's quantiles come from it too.
 */
export function replicationLatency(registry: Registry): PlainHistogram {
  const name = 'replication_latency_ms';
  const help = 'Time from an event at its origin to its application here, in milliseconds';
  const histogram = new PlainHistogram(LATENCY_BUCKETS_MS);
  registerHistogram(registry, name, help, () => histogram.samples(name));
  return histogram;
}

/** Counts and logs what goes wrong on the bus without being a change of the connection. */
export class BusTroubles {
  private readonly troubles: Counter;

  constructor(
    registry: Registry,
    private readonly logger: Logger,
    private readonly lines: SparseLines,
  ) {
    this.troubles = new Counter({
      name: 'metacenter_bus_troubles_total',
      help: 'Failed connection attempts, denied subjects, lost messages and other complaints, by kind',
      labelNames: ['kind'],
      registers: [registry],
    });
  }

  readonly count: OnBusTrouble = (kind, detail, count = 1) => {
    this.troubles.inc({ kind }, count);
    this.lines.say(`bus ${kind}`, (more) =>
      this.logger.warn({ kind, detail, ...(more > 0 && { more }) }, 'bus trouble'),
    );
  };
}
