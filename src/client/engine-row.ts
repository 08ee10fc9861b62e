/** How busy an engine is. Pure. */

export interface EngineRow {
  readonly ip: string;
  readonly queuedRequests: number;
  /** Tokens that are not prefilled yet. */
  readonly promptLength: number;
  /** Of the requests those whose prompt is not prefilled yet. */
  readonly prefillRequests: number;
}

export function readRow(data: unknown): EngineRow {
  const row = data as Record<string, unknown>;
  return {
    ip: String(row['ip']),
    queuedRequests: Number(row['queued_req_num'] ?? 0),
    promptLength: Number(row['prompt_length'] ?? 0),
    prefillRequests: Number(row['prefill_req_num'] ?? 0),
  };
}

export interface PickOptions {
  /**
   * How many engines to look at, picked at random; 4 unless it is given. The least of all would be the same for every gateway, and
   * worse than chance in bursts.
   */
  readonly of?: number | undefined;
  /** Addresses; absent: the engines that have a row. One without a row is idle. */
  readonly candidates?: readonly string[] | undefined;
  /** Tokens that one request in flight is worth; 128 unless it is given, as in a select. */
  readonly requestCost?: number | undefined;
}

/** The engine of least cost among a few; undefined where there is none. `random(n)` is an integer from 0 to below `n`. */
export function pickEngine(
  candidates: readonly string[],
  rowOf: (ip: string) => EngineRow | undefined,
  { of = 4, requestCost = 128 }: PickOptions,
  random: (below: number) => number,
): EngineRow | undefined {
  const engines = [...new Set(candidates)];
  let best: EngineRow | undefined;
  let bestCost = Infinity;
  for (let looked = 0; looked < Math.min(of, engines.length); looked++) {
    // The first places hold those that were picked.
    const at = looked + random(engines.length - looked);
    const ip = engines[at]!;
    engines[at] = engines[looked]!;
    engines[looked] = ip;
    const row = rowOf(ip) ?? { ip, queuedRequests: 0, promptLength: 0, prefillRequests: 0 };
    const cost = row.promptLength + requestCost * row.queuedRequests;
    if (cost >= bestCost) continue;
    best = row;
    bestCost = cost;
  }
  return best;
}
