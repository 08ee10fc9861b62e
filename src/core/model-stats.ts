/**
 * One cluster: the engines that serve one model, in ascending order of address.
 */
import type { ChangeCounter, EngineStats } from './engine-stats';
import { MAX_SUM } from './engine-stats';
import { RecentAdds } from './recent-adds';

export class ModelStats implements ChangeCounter {
  /** Counts changes of any row, so that readers can tell whether there is something new. */
  changes = 0;
  /** All rows by address, listed or not. */
  readonly engines = new Map<string, EngineStats>();
  readonly recentAdds = new RecentAdds();
  private listed: EngineStats[] = [];
  private json = '[]';
  private changesInJson = 0;
  private summaryJson = '';
  private summarisedChanges = -1;

  constructor(readonly cluster: string) {}

  /** The rows that answers show. */
  get rows(): readonly EngineStats[] {
    return this.listed;
  }

  list(engine: EngineStats): void {
    this.listed.splice(this.positionOf(engine.address), 0, engine);
    engine.listed = true;
    this.changes++;
  }

  unlist(engine: EngineStats): void {
    this.listed.splice(this.positionOf(engine.address), 1);
    engine.listed = false;
    this.changes++;
  }

  private positionOf(address: number): number {
    let low = 0;
    let high = this.listed.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.listed[middle]!.address < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The JSON array of the rows; built again only after a change. */
  toJson(): string {
    if (this.changesInJson !== this.changes) {
      this.json = `[${this.listed.map((engine) => engine.toJson()).join(',')}]`;
      this.changesInJson = this.changes;
    }
    return this.json;
  }

  /** Over the rows that answers show, without their cap. */
  sums(): { queuedRequests: number; promptLength: number; prefillRequests: number; updatedUs: number } {
    const sums = { queuedRequests: 0, promptLength: 0, prefillRequests: 0, updatedUs: 0 };
    for (const row of this.listed) {
      sums.queuedRequests += row.queuedRequests;
      sums.promptLength += row.promptLength;
      sums.prefillRequests += row.prefillRequests;
      sums.updatedUs = Math.max(sums.updatedUs, row.updatedUs);
    }
    return sums;
  }

  /** The cluster as one row of sums; built again only after a change. */
  toSummaryJson(): string {
    if (this.summarisedChanges === this.changes) return this.summaryJson;
    const { queuedRequests, promptLength, prefillRequests, updatedUs } = this.sums();
    const cluster = JSON.stringify(this.cluster);
    const sums = `"queued_req_num":${Math.min(queuedRequests, MAX_SUM)},"prompt_length":${Math.min(promptLength, MAX_SUM)},"prefill_req_num":${Math.min(prefillRequests, MAX_SUM)}`;
    this.summaryJson = `{"cluster":${cluster},"engines":${this.listed.length},${sums},"updated_time":${updatedUs}000}`;
    this.summarisedChanges = this.changes;
    return this.summaryJson;
  }
}
