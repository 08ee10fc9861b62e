/** How far a replica's rows are from what the gateways know to be in flight. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Fleet } from './fleet';
import { ReplicaClient } from './replica-client';

/** What is still on its way, or still being repaired, is no drift. */
const SETTLE_WITHIN_MS = 10_000;

export interface Drift {
  /** Requests and prompt tokens by which rows differ, over all rows of all fleets. */
  readonly requests: number;
  readonly promptTokens: number;
}

export async function driftOf(url: string, fleets: readonly Fleet[], nowMs: () => number): Promise<Drift> {
  const client = new ReplicaClient([url], 0);
  const deadlineMs = nowMs() + SETTLE_WITHIN_MS;
  try {
    for (;;) {
      let drift: Drift = { requests: 0, promptTokens: 0 };
      for (const fleet of fleets) drift = plus(drift, await differenceOf(client, fleet));
      if ((drift.requests === 0 && drift.promptTokens === 0) || nowMs() > deadlineMs) return drift;
      await delay(100);
    }
  } finally {
    client.close();
  }
}

async function differenceOf(client: ReplicaClient, fleet: Fleet): Promise<Drift> {
  const answered = new Map((await client.rows(fleet.cluster)).map((row) => [row.ip, row]));
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
