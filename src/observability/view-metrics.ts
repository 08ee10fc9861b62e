/** The metrics of the view: its rows, and how much it holds. */
import type { Registry } from 'prom-client';
import type { LoadStats } from '../core/load-stats';
import { counter, gauge, labelledGauge } from './scraped';

export function registerViewMetrics(registry: Registry, loadStats: LoadStats): void {
  labelledGauge(registry, 'model_engine_count', 'Engines listed for a cluster', ['model_name'], (set) => {
    for (const model of loadStats.engines.clusters) {
      if (model.rows.length > 0) set({ model_name: model.cluster }, model.rows.length);
    }
  });
  const perRow = (
    name: string,
    help: string,
    value: (row: { queuedRequests: number; promptLength: number }) => number,
  ) =>
    labelledGauge(registry, name, help, ['model_name', 'engine_ip'], (set) => {
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
    () => loadStats.expiredRequests,
  );
  labelledGauge(registry, 'metacenter_owners', 'Processes of gateways that are known', ['state'], (set) => {
    for (const [state, count] of Object.entries(loadStats.owners.states())) set({ state }, count);
  });
  counter(
    registry,
    'metacenter_requests_released_total',
    'Requests that stopped counting because the process of the gateway was gone or silent',
    () => loadStats.releasedRequests,
  );
}
