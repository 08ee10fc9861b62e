/**
 * How clusters ran over the last five minutes, for whoever begins to look just now: their sums, sampled every five
 * seconds. Bounded: so many samples of so many clusters.
 */
import type { EngineTable } from '../core/engine-table';

const SAMPLE_MS = 5_000;
const SAMPLES = 60;
const MAX_CLUSTERS = 200;

interface Track {
  /** The newest sample last; null where the cluster had no row. */
  readonly queued: (number | null)[];
  readonly prompt: (number | null)[];
}

export interface RecentJson {
  readonly sample_ms: number;
  /** Of the newest sample. */
  readonly age_ms: number;
  readonly clusters: readonly {
    readonly cluster: string;
    readonly queued_req_num: readonly (number | null)[];
    readonly prompt_length: readonly (number | null)[];
  }[];
}

export class RecentSums {
  private readonly tracks = new Map<string, Track>();
  private sampledAtMs = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly engines: EngineTable,
    private readonly monotonicMs: () => number,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.sample(), SAMPLE_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  sample(): void {
    this.sampledAtMs = this.monotonicMs();
    for (const track of this.tracks.values()) push(track, null, null);
    for (const model of this.engines.clusters) {
      if (model.rows.length === 0) continue;
      let track = this.tracks.get(model.cluster);
      if (!track) {
        if (this.tracks.size >= MAX_CLUSTERS) continue;
        track = { queued: [null], prompt: [null] };
        this.tracks.set(model.cluster, track);
      }
      const { queuedRequests, promptLength } = model.sums();
      track.queued[track.queued.length - 1] = queuedRequests;
      track.prompt[track.prompt.length - 1] = promptLength;
    }
    for (const [cluster, { queued }] of this.tracks) {
      if (queued.every((value) => value === null)) this.tracks.delete(cluster);
    }
  }

  toJson(): RecentJson {
    const clusters = [...this.tracks].map(([cluster, { queued, prompt }]) => ({
      cluster,
      queued_req_num: queued,
      prompt_length: prompt,
    }));
    return { sample_ms: SAMPLE_MS, age_ms: Math.round(this.monotonicMs() - this.sampledAtMs), clusters };
  }
}

function push({ queued, prompt }: Track, queuedRequests: number | null, promptLength: number | null): void {
  queued.push(queuedRequests);
  prompt.push(promptLength);
  if (queued.length <= SAMPLES) return;
  queued.shift();
  prompt.shift();
}
