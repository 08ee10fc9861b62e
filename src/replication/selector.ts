/**
 * Chooses an engine and books the request on it, in one synchronous step: no other report of this replica comes between.
 * What it books is an ordinary add, so replicas need no new event and no new state.
 */
import { addressOf, type EngineStats, MAX_SUM } from '../core/engine-stats';
import { type Candidate, chooseEngine } from '../core/engine-choice';
import type { RequestStatus } from '../core/load-stats';
import type { ModelStats } from '../core/model-stats';
import type { AddReport, AddResult, Replicator } from './replicator';

export interface SelectRequest extends Omit<AddReport, 'ip'> {
  /** Undefined: the rows of the cluster. */
  readonly candidates: readonly (string | { readonly ip: string; readonly credit: number })[] | undefined;
  readonly requestCost: number;
  readonly maxQueued: number | undefined;
  readonly maxPromptLength: number | undefined;
  /** The chunks of the prompt, for what the prefix cache knows of them. */
  readonly promptHash: readonly bigint[] | undefined;
  /** Tokens of one chunk. */
  readonly chunkTokens: number;
  /** False: only answer. */
  readonly book: boolean;
}

export interface Selected {
  readonly ip: string;
  /** The row as it is after the booking; undefined for an engine without one. */
  readonly row: EngineStats | undefined;
  readonly considered: number;
  readonly booked: boolean;
  readonly repeated: boolean;
  readonly degraded: boolean;
}

export type Unselected =
  Exclude<AddResult, 'accepted' | 'resend'> | 'not-caught-up' | 'no-engine' | 'no-rows';

export interface Standing {
  readonly caughtUp: () => boolean;
  readonly degraded: () => boolean;
}

/** How many leading chunks of a prompt each engine has in its cache. */
export type CachedChunks = (cluster: string, promptHash: readonly bigint[]) => ReadonlyMap<string, number>;

/** An add that another replica made so long after a booking, or sooner, may not have known of it, whenever it arrives. */
const ON_THE_WAY_US = 1_000_000;

export class Selector {
  readonly results = new Map<string, number>();
  /** Engines that were looked at, over all selects. */
  considered = 0;
  private namings = 0;

  constructor(
    private readonly replicator: Replicator,
    private readonly standing: Standing,
    private readonly acceptCopies: boolean,
    /** Undefined: there is no prefix cache. */
    private readonly cachedChunks?: CachedChunks,
  ) {}

  select(request: SelectRequest): Selected | Unselected {
    const selected = this.selectUncounted(request);
    const result =
      typeof selected === 'string'
        ? selected
        : selected.repeated
          ? 'repeated'
          : selected.booked
            ? 'booked'
            : 'answered';
    this.results.set(result, (this.results.get(result) ?? 0) + 1);
    if (typeof selected !== 'string') this.considered += selected.considered;
    return selected;
  }

  private selectUncounted(request: SelectRequest): Selected | Unselected {
    if (!this.standing.caughtUp()) return 'not-caught-up';
    const { replicator } = this;
    const { loadStats } = replicator;
    const { cluster, requestId } = request;
    const now = replicator.now();
    const status = loadStats.statusOf(requestId, now);
    if (status.add) return this.onRecord(request, status);
    if (replicator.isLateAdd(status, now)) return 'duplicate';

    const model = loadStats.engines.model(cluster);
    const choice = chooseEngine(this.candidatesOf(request, model), requestId, {
      requestCost: request.requestCost,
      maxQueued: request.maxQueued ?? Infinity,
      maxPromptLength: request.maxPromptLength ?? Infinity,
      ownShare: model?.recentAdds.ownShare(now) ?? 1,
    });
    if (!choice) return request.candidates || model?.rows.length ? 'no-engine' : 'no-rows';
    const { ip, considered } = choice;
    if (request.book) {
      const { promptLength, timestampNs, owner } = request;
      const result = replicator.add({ requestId, cluster, ip, promptLength, timestampNs, owner });
      if (result !== 'accepted' && result !== 'resend') return result;
    }
    const row = loadStats.engines.find(cluster, ip);
    if (request.book && row && request.maxQueued !== undefined) {
      row.selectLimit = request.maxQueued;
      row.selectLimitUntilUs = now + ON_THE_WAY_US;
      row.selectOrigin = replicator.origin;
    }
    return this.selected(ip, row, considered, request.book, false);
  }

  private onRecord(request: SelectRequest, { add: first }: RequestStatus): Selected | Unselected {
    let moved = false;
    for (let add = first; add; add = add.next) {
      const same = add.timestampNs !== undefined && add.timestampNs === request.timestampNs;
      if (!same && !this.acceptCopies) continue;
      // The first one counts, whichever of them the copy is of.
      if (add.row.cluster === request.cluster) return this.selected(first!.row.ip, first!.row, 0, true, true);
      moved = true;
    }
    return moved ? 'moved' : 'duplicate';
  }

  private selected(
    ip: string,
    row: EngineStats | undefined,
    considered: number,
    booked: boolean,
    repeated: boolean,
  ): Selected {
    return { ip, row, considered, booked, repeated, degraded: this.standing.degraded() };
  }

  private candidatesOf(request: SelectRequest, model: ModelStats | undefined): readonly Candidate[] {
    const { candidates, cluster, promptHash, chunkTokens } = request;
    const cached = promptHash && this.cachedChunks?.(cluster, promptHash);
    const cachedTokens = (ip: string): number => (cached?.get(ip) ?? 0) * chunkTokens;
    if (!candidates) {
      const rows = model?.rows ?? [];
      return cached ? rows.map((row) => candidateOf(row.ip, row, cachedTokens(row.ip))) : rows;
    }
    if (!cached && isNames(candidates)) return this.named(candidates, model);
    // One that is named twice is one engine, with the larger of its credits.
    const engines = new Map<string, Candidate>();
    for (const named of candidates) {
      const ip = typeof named === 'string' ? named : named.ip;
      const given = typeof named === 'string' ? 0 : named.credit;
      const credit = cached ? given + cachedTokens(ip) : given;
      const before = engines.get(ip);
      if (before && credit <= (before.credit ?? 0)) continue;
      engines.set(ip, candidateOf(ip, model?.engines.get(ip), credit));
    }
    return [...engines.values()];
  }

  /** The engines of that many addresses, each once. */
  private named(ips: readonly string[], model: ModelStats | undefined): readonly Candidate[] {
    this.namings++;
    const candidates: Candidate[] = [];
    const withoutRow = new Set<string>();
    for (const ip of ips) {
      const row = model?.engines.get(ip);
      if (row ? row.namedIn === this.namings : withoutRow.has(ip)) continue;
      if (row) row.namedIn = this.namings;
      else withoutRow.add(ip);
      candidates.push(candidateOf(ip, row, 0));
    }
    return candidates;
  }
}

function isNames(candidates: NonNullable<SelectRequest['candidates']>): candidates is readonly string[] {
  return candidates.every((each) => typeof each === 'string');
}

/** An engine without a row counts as idle. */
function candidateOf(ip: string, row: EngineStats | undefined, credit: number): Candidate {
  if (row && credit === 0) return row;
  return {
    ip,
    address: row?.address ?? addressOf(ip),
    queuedRequests: row?.queuedRequests ?? 0,
    promptLength: row?.promptLength ?? 0,
    credit,
  };
}

/** The select's answer. */
export function selectedJson({ ip, row, considered, booked, repeated, degraded }: Selected): string {
  const capped = (sum: number | undefined): number => Math.min(sum ?? 0, MAX_SUM);
  const loads = `"queued_req_num":${capped(row?.queuedRequests)},"prompt_length":${capped(row?.promptLength)},"prefill_req_num":${capped(row?.prefillRequests)}`;
  return `{"ip":"${ip}",${loads},"considered":${considered},"booked":${booked},"repeated":${repeated},"degraded":${degraded}}`;
}
