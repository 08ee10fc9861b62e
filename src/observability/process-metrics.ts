/** The metrics of the process: those that every Node.js process has, and which version runs. */
import { Gauge, collectDefaultMetrics, type Registry } from 'prom-client';

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
