/** What the HTTP layer needs from the rest of the replica. The composition root hands it over; nothing is looked up. */
import type { Logger } from 'pino';
import type { MessageClasses } from './api-request';
import type { Registry } from 'prom-client';
import type { PrefixCache } from '../cache/prefix-cache';
import type { EngineTable } from '../core/engine-table';
import type { Owners } from '../core/owners';
import type { AccessTokens } from '../security/access-tokens';
import type { Page } from '../dashboard/pages';
import type { ReplicaDependencies } from './routes/replica';
import type { Replicator } from '../replication/replicator';
import type { Selector } from '../replication/selector';
import type { Watchers } from '../watch/watchers';

export interface Readiness {
  readonly ready: boolean;
  /** Why it is ready, or why not. */
  readonly reason: string;
  /** Bus, peers, history and why; answered as it is, so it must not hold credentials. */
  readonly body: object;
}

/** Whether copies of a report that the view already shows are refused, or answered like the first one. */
type CopyPolicy = 'reject' | 'accept';

export interface HttpDependencies {
  /** Undefined: nobody needs a token. */
  readonly accessTokens: AccessTokens | undefined;
  readonly replicator: Pick<
    Replicator,
    'add' | 'refresh' | 'promptDelete' | 'delete' | 'renewLease' | 'endOwner' | 'whenPublished'
  >;
  readonly engines: Pick<EngineTable, 'rowsJson' | 'clustersJson'>;
  readonly owners: Pick<Owners, 'toJson'>;
  readonly selector: Pick<Selector, 'select'>;
  readonly replica: ReplicaDependencies;
  /** Undefined: switched off. */
  readonly cache: PrefixCache | undefined;
  readonly watchers: Watchers;
  readonly copyPolicy: CopyPolicy;
  readonly readiness: () => Readiness;
  /** Its level is what `POST /log/level` changes. */
  readonly logger: Logger;
  /** What `/metrics` shows; the HTTP layer adds its own metrics to it. */
  readonly registry: Registry;
  readonly version: string;
  readonly pages: readonly Page[];
  readonly messageClasses: MessageClasses;
  readonly monotonicMs: () => number;
  readonly randomBytes: (size: number) => Buffer;
}
