/** Every limit that a replica can reach, with how much of it is in use: the same metrics, so that one alert covers all. */
import type { Registry } from 'prom-client';
import { labelledCounter, labelledGauge } from './scraped';

export interface Limit {
  readonly name: string;
  readonly most: number;
  readonly use: () => number;
  /** Reports, events or origins refused or cut off because of it since the start; absent where that is not counted. */
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
  labelledCounter(
    registry,
    'metacenter_limit_refused_total',
    'Reports, events, origins or heartbeats refused or cut off because of a limit',
    'limit',
    () => limits.flatMap(({ name, refused }): [string, number][] => (refused ? [[name, refused()]] : [])),
  );
}
