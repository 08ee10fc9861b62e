/**
 * Compares the states of two replicas by their digests per second of event time.
 *
 * Adds matter until they are E old, deletions until they are E + R old; what is older is on its way out and is not
 * compared.
 */
import { MAX_OWNER_TTL_MS, OWNER_LEVEL } from '../core/event';
import type { LoadStats } from '../core/load-stats';
import { secondOf } from '../core/second-lists';
import type { DeletionRaises, SnapshotSelection } from '../core/snapshot';
import type { SecondDigest } from '../core/state-digest';

/** What has digests, and the level that speaks of it. `owned`: whose the adds are. */
const KINDS = { adds: 1, deletions: 1, owned: OWNER_LEVEL, owners: OWNER_LEVEL } as const;
type Kind = keyof typeof KINDS;

export function kindsOf(level: number): Kind[] {
  return (Object.keys(KINDS) as Kind[]).filter((kind) => KINDS[kind] <= level);
}

/** As replicas show it to each other: the kinds of the level that both speak. */
export interface StateDigests extends Partial<Record<Kind, readonly SecondDigest[]>> {
  /** When they were taken, as the replica that took them counts. */
  readonly raises: DeletionRaises;
}

export interface StateDifference {
  /** By kind and second, what each side has. */
  readonly differences: Map<string, string>;
  /** The seconds in which the other side has something that differs. */
  readonly pull: SnapshotSelection;
  /** Whether that is most of what the other side has, so that a full snapshot is the simpler way. */
  readonly mostly: boolean;
}

/** Of each kind its digests, and the second of event time from which on it matters at that time. */
function mattering({ addDigest, deletionDigest, ownedDigest, owners, options }: LoadStats, atUs: number) {
  const adds = secondOf(atUs - options.expireAfterUs);
  const deletionsUs = atUs - options.expireAfterUs - options.finishedRetentionUs;
  return {
    adds: { digest: addDigest, since: adds },
    deletions: { digest: deletionDigest, since: secondOf(deletionsUs) },
    owned: { digest: ownedDigest, since: adds },
    owners: { digest: owners.digest, since: secondOf(deletionsUs - 1000 * MAX_OWNER_TTL_MS) },
  };
}

/** Of what matters at that time. */
export function digestsOf(stats: LoadStats, atUs: number, level = OWNER_LEVEL): StateDigests {
  const of = mattering(stats, atUs);
  const digests = kindsOf(level).map((kind) => [kind, of[kind].digest.since(of[kind].since)]);
  const { deletes, promptDeletes } = stats;
  return { ...(Object.fromEntries(digests) as object), raises: [deletes.raises, promptDeletes.raises] };
}

/** Compares the own state with a peer's in what matters at that time, in the kinds that both speak of. */
export function compareDigests(
  stats: LoadStats,
  theirs: StateDigests,
  atUs: number,
  level = OWNER_LEVEL,
): StateDifference {
  const ours = mattering(stats, atUs);
  const differences = new Map<string, string>();
  const [adds, deletions] = [new Set<number>(), new Set<number>()];
  // Owners are in every snapshot: there are no seconds of theirs to ask for.
  const pulled = { adds, deletions, owned: adds, owners: undefined };
  let [items, differing] = [0, 0];
  for (const kind of kindsOf(level)) {
    const others = theirs[kind];
    if (!others) continue;
    const { digest: own, since } = ours[kind];
    const mine = new Map(own.since(since).map(([second, ...digest]) => [second, digest.join()]));
    for (const [second, ...digest] of others) {
      if (second < since) continue;
      const [here = '', there] = [mine.get(second), digest.join()];
      mine.delete(second);
      items += digest[0];
      if (here === there) continue;
      differing += digest[0];
      differences.set(`${kind} ${second}`, `${here}|${there}`);
      pulled[kind]?.add(second);
    }
    // What is left in `mine` the other side has nothing of.
    for (const [second, here] of mine) differences.set(`${kind} ${second}`, `${here}|`);
  }
  const pull = { adds: [...adds], deletions: [...deletions], since: theirs.raises };
  return { differences, pull, mostly: differing * 2 > items };
}
