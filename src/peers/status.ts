/**
 * What a replica tells its peers of itself, as JSON, and how it is read back. Read with suspicion: a peer may be of
 * another version, broken or lying.
 */
import type { ContextOptions, OriginJson } from '../core/causal-context';
import { CausalContext } from '../core/causal-context';
import { isOrigin } from '../core/event';
import { parseContext } from '../core/snapshot-merge';
import type { DeletionRaises } from '../core/snapshot';
import type { SecondDigest } from '../core/state-digest';
import type { PeerStatus } from '../replication/peer-table';
import type { DigestWindow, StateDigests } from '../replication/state-comparison';
import { MAX_SECONDS } from './second-ranges';

/** `[second, count, hi, lo]` */
type DigestJson = readonly [number, number, number, number];

export interface StatusJson {
  readonly replica: string;
  readonly version: string;
  readonly ready: boolean;
  readonly bus: { readonly connected: boolean; readonly reason: string };
  readonly history: object;
  readonly counts: Readonly<Record<string, number>>;
  readonly context: readonly OriginJson[];
  readonly digests?: {
    readonly adds: readonly DigestJson[];
    readonly deletions: readonly DigestJson[];
    readonly raises: DeletionRaises;
  };
}

class StatusFault extends Error {}

export function digestsJson({ adds, deletions, raises }: StateDigests): NonNullable<StatusJson['digests']> {
  return { adds: adds.map(toJson), deletions: deletions.map(toJson), raises };
}

export function windowQuery({ addsSince, deletionsSince }: DigestWindow): string {
  return `adds_since=${addsSince}&deletions_since=${deletionsSince}`;
}

/** Throws a StatusFault or SnapshotFault when `data` is not a status. */
export function readStatus(data: unknown, options: ContextOptions): PeerStatus {
  if (typeof data !== 'object' || data === null) throw new StatusFault('the status is not an object');
  const { replica, ready, context, digests } = data as Record<string, unknown>;
  if (!isOrigin(replica)) throw new StatusFault('the status names no replica');
  return {
    replica,
    ready: ready === true,
    context: CausalContext.fromJSON(parseContext(context, options), options),
    digests: digests === undefined ? undefined : readDigests(digests),
  };
}

function readDigests(value: unknown): StateDigests {
  if (typeof value !== 'object' || value === null) throw new StatusFault('the digests are not an object');
  const { adds, deletions, raises } = value as Record<string, unknown>;
  if (!Array.isArray(raises) || raises.length !== 2 || !raises.every(Number.isSafeInteger)) {
    throw new StatusFault('the digests have no time');
  }
  return {
    adds: readSeconds(adds),
    deletions: readSeconds(deletions),
    raises: raises as unknown as DeletionRaises,
  };
}

function readSeconds(value: unknown): SecondDigest[] {
  if (!Array.isArray(value) || value.length > MAX_SECONDS) throw new StatusFault('there are no digests');
  return value.map((digest: unknown) => {
    if (!Array.isArray(digest) || digest.length !== 4 || !digest.every(Number.isSafeInteger)) {
      throw new StatusFault('a digest is malformed');
    }
    const [second, count, hi, lo] = digest as unknown as DigestJson;
    return { second, count, hi, lo };
  });
}

function toJson({ second, count, hi, lo }: SecondDigest): DigestJson {
  return [second, count, hi, lo];
}
