/** The metrics of the process: those that every Node.js process has, and which version runs. */
import { Gauge, collectDefaultMetrics, type Registry } from 'prom-client';
import { counter } from './scraped';

export function registerProcessMetrics(registry: Registry, version: string, logDropped: () => number): void {
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'app_version_info',
    help: 'Always 1; the label is the running version',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
  counter(registry, 'metacenter_log_lines_dropped_total', 'Log lines that nobody took', logDropped);
  new Gauge({ name: 'metacenter_node_alive', help: 'Always 1', registers: [registry] }).set(1);
}
