/** How far a replica's rows are from what the gateways know to be in flight. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Fleet } from './fleet';

/** What is still on its way, or still being repaired, is no drift. */
const SETTLE_WITHIN_MS = 10_000;

export interface Drift {
  /** Requests and prompt tokens by which rows differ, over all rows of all fleets. */
  readonly requests: number;
  readonly promptTokens: number;
}

interface ClusterRows {
  readonly cluster: string;
  readonly rows: readonly {
    readonly ip: string;
    readonly queued_req_num: number;
    readonly prompt_length: number;
  }[];
}

export async function driftOf(url: string, fleets: readonly Fleet[], nowMs: () => number): Promise<Drift> {
  const query = fleets.map(({ cluster }) => `cluster=${encodeURIComponent(cluster)}`).join('&');
  const deadlineMs = nowMs() + SETTLE_WITHIN_MS;
  for (;;) {
    const response = await fetch(`${url}/v1/load/rows?${query}`);
    const { data } = (await response.json()) as { data: readonly ClusterRows[] };
    const drift = data.map((rows, i) => differenceOf(rows, fleets[i]!)).reduce(plus);
    if ((drift.requests === 0 && drift.promptTokens === 0) || nowMs() > deadlineMs) return drift;
    await delay(100);
  }
}

function differenceOf({ rows }: ClusterRows, fleet: Fleet): Drift {
  const answered = new Map(rows.map((row) => [row.ip, row]));
  let drift: Drift = { requests: 0, promptTokens: 0 };
  for (const ip of new Set([...answered.keys(), ...fleet.expected.keys()])) {
    const row = answered.get(ip);
    const { queued, prompt } = fleet.expected.get(ip) ?? { queued: 0, prompt: 0 };
    drift = plus(drift, {
      requests: Math.abs((row?.queued_req_num ?? 0) - queued),
      promptTokens: Math.abs((row?.prompt_length ?? 0) - prompt),
    });
  }
  return drift;
}

function plus(a: Drift, b: Drift): Drift {
  return { requests: a.requests + b.requests, promptTokens: a.promptTokens + b.promptTokens };
}
