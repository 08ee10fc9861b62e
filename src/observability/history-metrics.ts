/** The metrics of the bus's memory, read when Prometheus scrapes. */
import type { Registry } from 'prom-client';
import type { History } from '../history/history';
import { counter, gauge, labelledGauge } from './scraped';

const STATES = ['off', 'none', 'starting', 'replaying', 'young', 'done'] as const;

/** `history` is undefined where it is switched off. */
export function registerHistoryMetrics(registry: Registry, history: History | undefined): void {
  labelledGauge(
    registry,
    'metacenter_history_state',
    '1 for the state that the replay of the history at the start is in',
    ['state'],
    (set) => {
      const current = history?.state ?? 'off';
      for (const state of STATES) set({ state }, state === current ? 1 : 0);
    },
  );
  gauge(registry, 'metacenter_history_available', '1 while the stream is there to replay', () =>
    history?.available ? 1 : 0,
  );
  gauge(
    registry,
    'metacenter_history_messages',
    'Messages in the stream',
    () => history?.figures?.messages ?? 0,
  );
  gauge(registry, 'metacenter_history_bytes', 'Bytes in the stream', () => history?.figures?.bytes ?? 0);
  gauge(
    registry,
    'metacenter_history_first_time_seconds',
    'When the oldest message in the stream was taken, seconds since 1970; 0 while there is none',
    () => seconds(history?.figures?.firstTime),
  );
  gauge(
    registry,
    'metacenter_history_last_time_seconds',
    'When the newest message in the stream was taken, seconds since 1970; 0 while there is none',
    () => seconds(history?.figures?.lastTime),
  );
  gauge(
    registry,
    'metacenter_history_replay_duration_ms',
    'How long the latest replay took',
    () => history?.lastReplayMs ?? 0,
  );
  counter(
    registry,
    'metacenter_history_replayed_total',
    'Messages replayed',
    () => history?.replayedTotal ?? 0,
  );
  counter(registry, 'metacenter_history_replays_total', 'Replays that ended', () => history?.replays ?? 0);
}

function seconds(time: string | undefined): number {
  return time === undefined ? 0 : Date.parse(time) / 1000;
}
