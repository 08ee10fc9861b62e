/**
 * All rows: by cluster for answers, by number for finished ids, by second of their last event for expiry.
 *
 * A row is listed while its last event is younger than E. Its number stays taken for R more (and a margin), until
 * no finished id can refer to it.
 */
import { EngineStats, addressOf } from './engine-stats';
import type { Fingerprinting } from './fingerprint';
import { Fingerprint } from './fingerprint';
import { ModelStats } from './model-stats';
import { SecondLists, secondOf } from './second-lists';
import { DigestedName } from './state-digest';

/** Deletion times are forgotten by whole seconds, so row numbers outlive them by more than one. */
const NUMBER_MARGIN_S = 3;

export class EngineTable {
  private listedRows = 0;
  private readonly models = new Map<string, ModelStats>();
  private readonly byNumber: (EngineStats | undefined)[] = [];
  private readonly freeNumbers: number[] = [];
  private readonly bySecond = new SecondLists();
  private readonly named: Fingerprint;
  private readonly releaseAfterS: number;

  constructor(
    private readonly expireAfterUs: number,
    finishedRetentionUs: number,
    fingerprinting: Fingerprinting,
  ) {
    this.named = new Fingerprint(fingerprinting);
    this.releaseAfterS = Math.ceil(finishedRetentionUs / 1_000_000) + NUMBER_MARGIN_S;
  }

  /** Rows held, listed or not. */
  get size(): number {
    return this.byNumber.length - this.freeNumbers.length;
  }

  /** Rows that answers show. */
  get listedCount(): number {
    return this.listedRows;
  }

  get clusters(): Iterable<ModelStats> {
    return this.models.values();
  }

  /** The clusters that have a row to show, by name. */
  get listedClusters(): ModelStats[] {
    const listed = [...this.models.values()].filter(({ rows }) => rows.length > 0);
    return listed.sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  }

  model(cluster: string): ModelStats | undefined {
    return this.models.get(cluster);
  }

  /** The JSON array of a cluster's rows, ready to be put into an answer. */
  rowsJson(cluster: string): string {
    return this.models.get(cluster)?.toJson() ?? '[]';
  }

  /** The JSON array of all clusters with their sums. */
  clustersJson(): string {
    return `[${this.listedClusters.map((model) => model.toSummaryJson()).join()}]`;
  }

  find(cluster: string, ip: string): EngineStats | undefined {
    return this.models.get(cluster)?.engines.get(ip);
  }

  byNumberOf(number: number): EngineStats {
    return this.byNumber[number]!;
  }

  /** Makes a row that does not exist yet; it is listed by its first `touch`. */
  create(cluster: string, ip: string, timeUs: number): EngineStats {
    let model = this.models.get(cluster);
    if (!model) {
      model = new ModelStats(cluster);
      this.models.set(cluster, model);
    }
    const number = this.freeNumbers.pop() ?? this.byNumber.length;
    // An address has no space in it, so no two rows have the same name.
    const digested = new DigestedName(this.named.of(`${ip} ${cluster}`));
    const row = new EngineStats(model, cluster, ip, addressOf(ip), number, digested);
    model.engines.set(ip, row);
    this.byNumber[number] = row;
    this.schedule(row, secondOf(timeUs));
    return row;
  }

  /** An event at `timeUs` concerned the row. */
  touch(row: EngineStats, timeUs: number, nowUs: number): void {
    if (timeUs > row.updatedUs) {
      row.updatedUs = timeUs;
      row.changed();
    }
    if (row.listed || row.updatedUs + this.expireAfterUs <= nowUs) return;
    this.modelOf(row).list(row);
    this.listedRows++;
    // An idle row is due only when its number may be released: too late, now that it is listed again.
    const second = secondOf(row.updatedUs);
    if (second < row.dueSecond) {
      this.bySecond.unlink(row.number, row.dueSecond);
      this.schedule(row, second);
    }
  }

  /** Every row, listed or not; rows may come and go during the walk. */
  *all(): Generator<EngineStats> {
    for (let number = 0; number < this.byNumber.length; number++) {
      const row = this.byNumber[number];
      if (row) yield row;
    }
  }

  /** Visits at most `slice` rows whose last event may be E old; true when none is left, as `SecondLists.visitUntil` has it. */
  expire(nowUs: number, slice: number): boolean {
    return this.bySecond.visitUntil(nowUs - this.expireAfterUs, slice, (number, second, wholly) =>
      this.expireRow(this.byNumber[number]!, second, nowUs, wholly),
    );
  }

  private expireRow(row: EngineStats, second: number, nowUs: number, wholly: boolean): void {
    const idle = row.liveAdds === 0 && row.updatedUs + this.expireAfterUs <= nowUs;
    if (idle && row.listed) {
      this.modelOf(row).unlist(row);
      this.listedRows--;
    }
    if (!wholly) return;
    const due = idle
      ? secondOf(row.updatedUs) + this.releaseAfterS
      : Math.max(secondOf(row.updatedUs), second + 1);
    this.bySecond.unlink(row.number, second);
    if (due > second) this.schedule(row, due);
    else this.release(row);
  }

  private modelOf(row: EngineStats): ModelStats {
    return this.models.get(row.cluster)!;
  }

  private schedule(row: EngineStats, second: number): void {
    row.dueSecond = second;
    this.bySecond.link(row.number, second);
  }

  private release(row: EngineStats): void {
    const model = this.modelOf(row);
    model.engines.delete(row.ip);
    if (model.engines.size === 0) this.models.delete(row.cluster);
    this.byNumber[row.number] = undefined;
    this.freeNumbers.push(row.number);
  }
}
