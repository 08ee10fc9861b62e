/**
 * What a replica shows to its peers, in the level that the asker speaks: its status and its state. Only to replicas of its
 * own deployment; asking changes nothing here.
 */
import type { CacheIndex } from '../cache/cache-index';
import { cacheLines } from '../cache/cache-transfer';
import type { CausalContext } from '../core/causal-context';
import type { LoadStats } from '../core/load-stats';
import { snapshotLines } from '../core/snapshot';
import { digestsOf } from './digests';
import { levelFor, readSelection, readDigestsAt, type Identity, type Query } from './protocol';

export interface AnsweringParts {
  readonly self: Identity;
  readonly version: string;
  readonly stats: LoadStats;
  readonly context: CausalContext;
  readonly bus: { readonly connected: boolean; readonly reason: string };
  readonly history: () => object;
  readonly ready: () => boolean;
  readonly missing: () => number;
  /** Undefined: switched off. */
  readonly cache: CacheIndex | undefined;
  readonly nowUs: () => number;
}

export class Answering {
  constructor(private readonly parts: AnsweringParts) {}

  /** Throws a ProtocolFault for an asker of another deployment, and for a query that can't be read. */
  status(query: Query) {
    const { self, version, stats, context, bus, history, ready, missing, nowUs } = this.parts;
    const level = levelFor(query, self);
    const atUs = readDigestsAt(query);
    return {
      ...self,
      version,
      ready: ready(),
      time_us: nowUs(),
      bus: { connected: bus.connected, reason: bus.reason },
      history: history(),
      counts: {
        in_flight: stats.inFlight.size,
        finished: stats.deletes.size,
        engines: stats.engines.listedCount,
        missing_events: missing(),
      },
      context: context.toJSON(level),
      levels: context.levels,
      // Origins of which there was no room for more than their last events: what the context leaves out.
      cut: context.cut,
      ...(atUs !== undefined && { digests: digestsOf(stats, atUs, level) }),
    };
  }

  /** The lines of the prefix cache; throws at once, as `status` does. None where it is switched off. */
  cache(query: Query): Iterable<string> {
    const { self, cache, nowUs } = this.parts;
    levelFor(query, self);
    return cache ? cacheLines(cache, nowUs) : [];
  }

  /** The lines of a snapshot; throws at once, as `status` does. */
  snapshot(query: Query): Iterable<string> {
    const { self, stats, context, ready } = this.parts;
    const speaks = levelFor(query, self);
    const selection = readSelection(query);
    return snapshotLines(stats, context, { ...self, ready: ready(), speaks }, selection);
  }
}
