/**
 * Metrics that are read from the replica's own state when Prometheus scrapes, so that an event costs no metric work.
 */
import { Counter, Gauge, type Registry } from 'prom-client';

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

/** A gauge whose series are exactly those that `fill` sets: what is gone loses its series. */
export function labelledGauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  fill: (set: (labels: Record<string, string>, value: number) => void) => void,
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

/** A counter that is counted elsewhere. */
export function counter(registry: Registry, name: string, help: string, value: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(value());
    },
  });
}

/** One that is counted elsewhere by one label. */
export function labelledCounter(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  values: () => Iterable<readonly [string, number]>,
): void {
  new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [key, value] of values()) this.inc({ [label]: key }, value);
    },
  });
}
