/**
 * Everyone who watches, and the only timers of watching: one for each interval in use, and none while nobody watches.
 * A tick looks at each watched subject once, however many watch it, and costs what has changed.
 */
import type { EngineTable } from '../core/engine-table';
import { retryAfter } from './event-stream';
import type { Feed, Versions } from './feed';
import { ObjectFeed, OnceFeed, RowFeed } from './feed';
import { AllClusters, ClusterRows } from './row-sources';
import type { Sink } from './watcher';
import { Watcher } from './watcher';

export interface WatchersOptions {
  /** Makes the ids of events differ between replicas. */
  readonly origin: string;
  readonly maxWatchers: number;
  /** A comment is sent where nothing else was for this long. */
  readonly keepAliveMs: number;
  /** What readers are told to wait before they connect again. */
  readonly retryMs: number;
}

export const WATCH_TIMES = { keepAliveMs: 5_000, retryMs: 1_000 };

/** What a reader's connection tells its watcher. */
export interface Watch {
  readonly drained: () => void;
  readonly closed: () => void;
}

interface SharedFeed {
  readonly feed: Feed;
  watchers: number;
}

/** The watchers with the same interval. */
interface Round {
  readonly timer: NodeJS.Timeout;
  readonly watchers: Map<Watcher, readonly Feed[]>;
}

export class Watchers {
  /** Since the start: events sent, and watchers turned away. */
  readonly counts = { events: 0, refused: 0 };
  private readonly feeds = new Map<string, SharedFeed>();
  private readonly rounds = new Map<number, Round>();
  private readonly watchers = new Set<Watcher>();
  private readonly versions: Versions;
  private beats: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly engines: EngineTable,
    private readonly replicaState: () => object,
    private readonly recent: () => object,
    private readonly options: WatchersOptions,
  ) {
    let version = 0;
    this.versions = { prefix: options.origin, next: () => ++version };
  }

  get count(): number {
    return this.watchers.size;
  }

  /** Whether one more may watch; one that may not is counted. */
  admit(): 'admitted' | 'full' | 'stopped' {
    if (!this.stopped && this.watchers.size < this.options.maxWatchers) return 'admitted';
    this.counts.refused++;
    return this.stopped ? 'stopped' : 'full';
  }

  watchCluster(cluster: string, intervalMs: number, sink: Sink): Watch {
    const name = `cluster ${cluster}`;
    return this.watch(intervalMs, sink, {
      [name]: () => new RowFeed(new ClusterRows(this.engines, cluster), this.versions),
    });
  }

  /** Several in one stream: each event says in `cluster` whose rows it has. */
  watchClusters(clusters: ReadonlySet<string>, intervalMs: number, sink: Sink): Watch {
    const subjects: Record<string, () => Feed> = {};
    for (const cluster of clusters) {
      const head = `"cluster":${JSON.stringify(cluster)},`;
      subjects[`named cluster ${cluster}`] = () =>
        new RowFeed(new ClusterRows(this.engines, cluster), this.versions, head);
    }
    return this.watch(intervalMs, sink, subjects);
  }

  /** All clusters with their sums, and the state of the replica itself. */
  watchOverview(intervalMs: number, sink: Sink): Watch {
    return this.watch(intervalMs, sink, {
      replica: () => new ObjectFeed('replica', this.replicaState, this.versions),
      recent: () => new OnceFeed('recent', this.recent, this.versions),
      clusters: () => new RowFeed(new AllClusters(this.engines), this.versions),
    });
  }

  /** Ends every stream: connections that are held open would hold up the end of the replica. */
  stop(): void {
    this.stopped = true;
    for (const watcher of this.watchers) watcher.end();
  }

  private watch(intervalMs: number, sink: Sink, subjects: Record<string, () => Feed>): Watch {
    const names = Object.keys(subjects);
    const feeds = names.map((name) => this.share(name, subjects[name]!));
    const watcher = new Watcher(feeds, sink);
    this.watchers.add(watcher);
    this.beats ??= setInterval(() => this.beat(), this.options.keepAliveMs);
    this.join(intervalMs, watcher, feeds);
    watcher.send(retryAfter(this.options.retryMs));
    for (const feed of feeds) feed.refresh();
    this.counts.events += watcher.tick();
    return {
      drained: () => watcher.drained(),
      closed: () => {
        if (!this.watchers.delete(watcher)) return;
        this.leave(intervalMs, watcher);
        for (const name of names) this.unshare(name);
        if (this.watchers.size > 0) return;
        clearInterval(this.beats);
        this.beats = undefined;
      },
    };
  }

  private share(name: string, create: () => Feed): Feed {
    let shared = this.feeds.get(name);
    if (!shared) this.feeds.set(name, (shared = { feed: create(), watchers: 0 }));
    shared.watchers++;
    return shared.feed;
  }

  private unshare(name: string): void {
    if (--this.feeds.get(name)!.watchers === 0) this.feeds.delete(name);
  }

  private join(intervalMs: number, watcher: Watcher, feeds: readonly Feed[]): void {
    let round = this.rounds.get(intervalMs);
    if (!round) {
      const watchers = new Map<Watcher, readonly Feed[]>();
      round = { timer: setInterval(() => this.tick(watchers), intervalMs), watchers };
      this.rounds.set(intervalMs, round);
    }
    round.watchers.set(watcher, feeds);
  }

  private leave(intervalMs: number, watcher: Watcher): void {
    const round = this.rounds.get(intervalMs)!;
    round.watchers.delete(watcher);
    if (round.watchers.size > 0) return;
    clearInterval(round.timer);
    this.rounds.delete(intervalMs);
  }

  private tick(watchers: Round['watchers']): void {
    const looked = new Set<Feed>();
    for (const [watcher, feeds] of watchers) {
      for (const feed of feeds) {
        if (looked.has(feed)) continue;
        looked.add(feed);
        feed.refresh();
      }
      this.counts.events += watcher.tick();
    }
  }

  private beat(): void {
    for (const watcher of this.watchers) watcher.beat();
  }
}
