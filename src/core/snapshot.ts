/**
 * The state as a stream of lines (NDJSON), for a replica that joins or repairs.
 *
 * The first line carries the context, cut before any record; the last one an end mark with the number of records. A
 * record can only move forward while the stream runs (in flight, then prompt-deleted beyond its delete, then finished),
 * so whatever the context claims is shown, or was superseded by an event that the context does not claim. Nothing is
 * copied: the state may change between any two lines. Rows are numbered where they are first named.
 */
import type { CausalContext, OriginJson, LevelJson } from './causal-context';
import type { DeletionTimes } from './deletion-times';
import type { EngineStats } from './engine-stats';
import { OWNER_LEVEL } from './event';
import { Fingerprint } from './fingerprint';
import { NO_SLOT } from './hashed-slots';
import type { Add } from './in-flight';
import type { LoadStats } from './load-stats';
import { recordOf } from './owners';

export const SNAPSHOT_VERSION = 2;

/** The seconds of event time that a repair asks for; everything when undefined. */
export interface SnapshotSelection {
  readonly adds: readonly number[];
  /** Seconds of deletes and prompt-deletes. */
  readonly deletions: readonly number[];
  /**
   * What was selected may have moved on since the seconds were compared: deletions raised since then are shown too. The
   * values of `raises` of that time, of deletes and of prompt-deletes.
   */
  readonly since: DeletionRaises;
}

export type DeletionRaises = readonly [deletes: number, promptDeletes: number];

/** What the first line says of a snapshot, beside the context. */
export interface SnapshotSource {
  /** The origin id of the replica that serves it. */
  readonly replica: string;
  /** Whether that replica has itself caught up. */
  readonly ready: boolean;
  /** Only replicas of the same deployment take it in. */
  readonly deployment: string;
  /** The level of records and claims that it is written in: what its reader understands. */
  readonly speaks: number;
}

interface SnapshotHeader extends SnapshotSource {
  readonly snapshot: typeof SNAPSHOT_VERSION;
  readonly context: readonly OriginJson[];
  /** Of events above the first level: its reader neither chases nor claims those that it does not understand. */
  readonly levels: readonly LevelJson[];
}

/**
 * After the header:
 *
 *   ["row", number, cluster, ip, updatedUs]
 *   ["owner", name, leaseUs, ttlMs, goneUs, newestAddUs]; 0 for what never was
 *   ["add", row number, request id, timeUs, origin, prompt length, gateway's timestamp as digits or null, promptDeletedUs?, owner?]
 *   ["prompt-delete", fingerprint as four signed 32-bit words …, timeUs]
 *   ["delete", fingerprint likewise …, timeUs, numbers of the rows whose adds it covered …]
 *   ["end", records before it]
 *
 * Owners are of level 2, and always all there: they are few. Before an owner `promptDeletedUs` may be null. A prompt-delete comes
 * with its add too, so that half a snapshot never shows a prompt that is known to be gone.
 */
export function* snapshotLines(
  stats: LoadStats,
  context: CausalContext,
  source: SnapshotSource,
  selection?: SnapshotSelection,
): Generator<string> {
  const header: SnapshotHeader = {
    snapshot: SNAPSHOT_VERSION,
    ...source,
    context: context.toJSON(source.speaks),
    levels: context.levels,
  };
  yield JSON.stringify(header);
  let count = 0;
  const id = new Fingerprint(stats.options.fingerprinting);
  const named: (EngineStats | undefined)[] = [];

  const ofOwners = source.speaks >= OWNER_LEVEL;
  if (ofOwners) {
    for (const owner of stats.owners.all) {
      count++;
      const { name, leaseUs, ttlMs, goneUs, newestAddUs } = recordOf(owner);
      yield JSON.stringify(['owner', name, leaseUs, ttlMs, goneUs, newestAddUs]);
    }
  }
  for (const row of stats.engines.all()) {
    named[row.number] = row;
    count++;
    yield rowLine(row);
  }
  for (const slot of addSlots(stats, selection)) {
    const promptDeletedUs = promptDeleteOf(stats, slot, id);
    for (let add: Add | undefined = stats.inFlight.firstOf(slot); add; add = add.next) {
      if (named[add.row.number] !== add.row) {
        named[add.row.number] = add.row;
        count++;
        yield rowLine(add.row);
      }
      count++;
      yield addLine(add, promptDeletedUs, ofOwners);
    }
  }
  for (const slot of deletionSlots(stats.promptDeletes, selection, selection?.since[1])) {
    if (!stats.promptDeletes.isUsed(slot)) continue;
    count++;
    yield `["prompt-delete",${deletionFields(stats.promptDeletes, slot, id)}]`;
  }
  for (const slot of deletionSlots(stats.deletes, selection, selection?.since[0])) {
    if (!stats.deletes.isUsed(slot)) continue;
    let line = `["delete",${deletionFields(stats.deletes, slot, id)}`;
    for (const number of stats.deletes.rowsOf(slot)) {
      const row = stats.engines.byNumberOf(number);
      if (named[number] !== row) {
        named[number] = row;
        count++;
        yield rowLine(row);
      }
      line += `,${number}`;
    }
    count++;
    yield `${line}]`;
  }
  yield `["end",${count}]`;
}

function* addSlots(stats: LoadStats, selection: SnapshotSelection | undefined): Generator<number> {
  const { inFlight } = stats;
  if (!selection) {
    for (let slot = 0; slot < inFlight.slotEnd; slot++) if (inFlight.firstOf(slot)) yield slot;
    return;
  }
  yield* slotsOfSeconds(inFlight, selection.adds);
  const { conflicts } = inFlight;
  if (conflicts.size <= MOST_COPIED) yield* [...conflicts];
  else {
    // One that is settled meanwhile is in the second of the add that is left.
    const seconds = new Set(selection.adds);
    for (let slot = 0; slot < inFlight.slotEnd; slot++) {
      if (conflicts.has(slot) || seconds.has(inFlight.secondAt(slot)!)) yield slot;
    }
  }
}

function* deletionSlots(
  times: DeletionTimes,
  selection: SnapshotSelection | undefined,
  sinceRaises = 0,
): Generator<number> {
  if (selection) yield* slotsOfSeconds(times, selection.deletions);
  const raised = selection && times.raisedSince(sinceRaises);
  if (raised) yield* raised;
  // Free slots are passed over here, where that costs next to nothing: there may be a million in a row.
  else for (let slot = 0; slot < times.slotEnd; slot++) if (times.isUsed(slot)) yield slot;
}

/** Slots of a second that are copied at once. Whoever can publish can put all that there is room for into one second. */
const MOST_COPIED = 20_000;

interface BySecond {
  readonly slotEnd: number;
  ofSecond(second: number, most: number): readonly number[] | undefined;
  secondAt(slot: number): number | undefined;
}

/**
 * Copied, since the lists may change while the stream waits for its reader; slots keep their number. What is too much for that
 * is found by going through all slots: what has left its second by then was raised, or has several adds, and is shown as such.
 */
function* slotsOfSeconds(records: BySecond, seconds: readonly number[]): Generator<number> {
  const long = new Set<number>();
  for (const second of seconds) {
    const slots = records.ofSecond(second, MOST_COPIED);
    if (slots) yield* slots;
    else long.add(second);
  }
  if (long.size === 0) return;
  for (let slot = 0; slot < records.slotEnd; slot++) if (long.has(records.secondAt(slot)!)) yield slot;
}

function rowLine(row: EngineStats): string {
  return `["row",${row.number},${JSON.stringify(row.cluster)},"${row.ip}",${row.updatedUs}]`;
}

function promptDeleteOf(
  { inFlight, promptDeletes }: LoadStats,
  slot: number,
  id: Fingerprint,
): number | undefined {
  if (inFlight.firstOf(slot) === undefined) return undefined;
  const promptDelete = promptDeletes.find(inFlight.idOf(slot, id), 0);
  return promptDelete === NO_SLOT ? undefined : promptDeletes.timeOf(promptDelete);
}

function addLine(add: Add, promptDeletedUs: number | undefined, ofOwners: boolean): string {
  const owner = add.owner && ofOwners ? `,${JSON.stringify(add.owner.name)}` : '';
  const noPromptDelete = owner === '' ? '' : ',null';
  const promptDelete = promptDeletedUs === undefined ? noPromptDelete : `,${promptDeletedUs}`;
  const timestamp = add.timestampNs === undefined ? 'null' : `"${add.timestampNs}"`;
  return `["add",${add.row.number},${JSON.stringify(add.requestId)},${add.timeUs},"${add.origin.name}",${add.promptLength},${timestamp}${promptDelete}${owner}]`;
}

function deletionFields(times: DeletionTimes, slot: number, id: Fingerprint): string {
  const { w0, w1, w2, w3 } = times.idOf(slot, id);
  return `${w0},${w1},${w2},${w3},${times.timeOf(slot)}`;
}
