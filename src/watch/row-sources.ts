/** The view's rows as subjects to watch: the engines of one cluster, and all clusters. */
import type { EngineStats } from '../core/engine-stats';
import type { EngineTable } from '../core/engine-table';
import type { ModelStats } from '../core/model-stats';
import type { RowSource } from './row-diff';

export class ClusterRows implements RowSource<EngineStats> {
  private model: ModelStats | undefined;
  private changes = 0;

  constructor(
    private readonly engines: EngineTable,
    private readonly cluster: string,
  ) {}

  changed(): boolean {
    const { model, changes } = this;
    // A cluster that went and came back counts its changes anew.
    this.model = this.engines.model(this.cluster);
    this.changes = this.model?.changes ?? 0;
    return this.model !== model || this.changes !== changes;
  }

  rows(): Iterable<EngineStats> {
    return this.model?.rows ?? [];
  }

  keyOf(row: EngineStats): string {
    return row.ip;
  }

  jsonOf(row: EngineStats): string {
    return row.toJson();
  }
}

export class AllClusters implements RowSource<ModelStats> {
  constructor(private readonly engines: EngineTable) {}

  /** Clusters keep their JSON until they change, so looking at all of them is cheap. */
  changed(): boolean {
    return true;
  }

  rows(): Iterable<ModelStats> {
    return this.engines.listedClusters;
  }

  keyOf(model: ModelStats): string {
    return model.cluster;
  }

  jsonOf(model: ModelStats): string {
    return model.toSummaryJson();
  }
}
