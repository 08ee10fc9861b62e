/** What the HTTP layer needs from the rest of the replica. The composition root hands it over; nothing is looked up. */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';

export interface AddReport {
  requestId: string;
  cluster: string;
  ip: string;
  promptLength: number;
  timestampNs: bigint | undefined;
}
export type AddResult = 'accepted' | 'resend' | 'duplicate' | 'too-many-in-flight' | 'too-many-engines';
export type DeleteResult = 'accepted' | 'already-deleted' | 'too-many-finished';
export interface LoadReplicator {
  add(report: AddReport): AddResult;
  promptDelete(requestId: string): DeleteResult;
  delete(requestId: string): DeleteResult;
  rowsJson(cluster: string): string;
}

export interface Readiness {
  readonly ready: boolean;
  /** Bus, peers, history and why; answered as it is, so it must not hold credentials. */
  readonly body: object;
}

/** Whether copies of a report that the view already shows are refused, or answered like the first one. */
export type ReplayPolicy = 'reject' | 'accept';

export interface HttpDependencies {
  readonly replicator: LoadReplicator;
  readonly replayPolicy: ReplayPolicy;
  readonly readiness: () => Readiness;
  /** Its level is what `POST /log/level` changes. */
  readonly logger: Logger;
  /** What `/metrics` shows; the HTTP layer adds its own metrics to it. */
  readonly registry: Registry;
  readonly monotonicMs: () => number;
  readonly randomBytes: (size: number) => Buffer;
}
