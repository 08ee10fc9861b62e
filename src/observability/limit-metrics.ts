/** Every limit that a replica can reach, with how much of it is in use: one pair of metrics, so that one alert covers all. */
import type { Registry } from 'prom-client';
import { labelledGauge } from './scraped';

export interface Limit {
  readonly name: string;
  readonly most: number;
  readonly use: () => number;
  /** Reports refused because of it since the start; absent where it refuses none. */
  readonly refused?: () => number;
  /** It turns away readers only: no report is lost. */
  readonly refusesReaders?: true;
}

export function registerLimitMetrics(registry: Registry, limits: readonly Limit[]): void {
  labelledGauge(registry, 'metacenter_limit', 'The most that a replica takes, by what', ['limit'], (set) => {
    for (const { name, most } of limits) set({ limit: name }, most);
  });
  labelledGauge(registry, 'metacenter_limit_use', 'How much of that is in use', ['limit'], (set) => {
    for (const { name, use } of limits) set({ limit: name }, use());
  });
}
