/** Measures the core at one size; run as a process with `--expose-gc`, says what it measured as JSON on stdout. */
import { newFingerprinting } from '../../src/composition/fingerprinting';
import { CausalContext } from '../../src/core/causal-context';
import type { AddEvent, DeleteEvent, PromptDeleteEvent } from '../../src/core/event';
import { LoadStats } from '../../src/core/load-stats';
import { snapshotLines } from '../../src/core/snapshot';
import { SnapshotMerge } from '../../src/core/snapshot-merge';
import { CONTEXT_LIMITS, loadStatsOptions } from '../../src/replication/limits';
import { EXPIRY_SLICE } from '../../src/replication/expiry-run';
import { encodeEvent } from '../../src/wire/event-codec';
import { EventReader } from '../../src/wire/event-reader';
import { engineOf, promptLengthOf, requestId } from '../load/requests';
import { Holds } from './holds';

export interface CoreMeasures {
  /** Of a whole life: one of each of the next three, divided by three. */
  readonly eventNs: number;
  readonly addNs: number;
  readonly promptDeleteNs: number;
  readonly deleteNs: number;
  readonly expireNs: number;
  readonly queryNs: number;
  readonly mergeNs: number;
  readonly encodeNs: number;
  readonly decodeNs: number;
  readonly bytesPerRequest: number;
  readonly bytesPerFinished: number;
  /** Garbage collection taken out of these three and shown in the fourth. */
  readonly expiryHoldMs: number;
  readonly snapshotHoldMs: number;
  readonly growthHoldMs: number;
  readonly gcHoldMs: number;
}

const CLUSTERS = 10;
const ENGINES = 16;
const START_US = 1_700_000_000_000_000;
/** The requests in flight began over this long, as they would have. */
const SPAN_US = 300_000_000;
/** What the replica does in one turn of the event loop. */
const SNAPSHOT_PIECE_LENGTH = 64 * 1024;
/** Operations of one timed batch, and batches: the first ones are for the compiler. */
const BATCH = 20_000;
const BATCHES = 8;
/** As many adds as one turn of a busy replica may bring. */
const GROWTH_BATCH = 50;

const LOAD = {
  expireAfterMs: 600_000,
  finishedRetentionMs: 60_000,
  maxInFlight: 10_000_000,
  maxEngines: 100_000,
  maxOwners: 10_000,
};
const CONTEXT_OPTIONS = { ...CONTEXT_LIMITS, forgetAfterUs: 1_320_000_000 };
const ORIGIN = 'benchmark-origin';

async function main(inFlight: number): Promise<CoreMeasures> {
  const holds = new Holds();
  const stats = newStats();
  const stepUs = SPAN_US / inFlight;
  const eventOf = (number: number): AddEvent => addEvent(number, START_US + Math.floor(number * stepUs));
  let now = START_US + SPAN_US;

  const emptyBytes = usedBytes();
  const growing = holds.series();
  for (let first = 0; first < inFlight; first += GROWTH_BATCH) {
    const numbers = Array.from({ length: Math.min(GROWTH_BATCH, inFlight - first) }, (_, i) => first + i);
    const events = numbers.map(eventOf);
    growing.time(() => {
      for (const event of events) stats.apply(event, now);
    });
  }
  const grownMs = performance.now();
  const bytesPerRequest = (usedBytes() - emptyBytes) / inFlight;

  const merge = measureMerge(stats, now);
  const snapshot = holds.series();
  const lines = snapshotLines(stats, new CausalContext(CONTEXT_OPTIONS), SOURCE);
  snapshot.timeEach(() => takePiece(lines));

  const live = measureLives(stats, inFlight, now);
  const queryNs = measureQuery(stats, inFlight + BATCH * (BATCHES + 1), now);
  const codec = measureCodec(eventOf(7));

  const bytesPerFinished = measureFinished(inFlight, now);

  now += 3_600_000_000;
  const left = stats.inFlight.size;
  const expiry = holds.series();
  const before = process.cpuUsage();
  expiry.timeEach(() => !stats.expire(now, EXPIRY_SLICE));
  const expireNs = cpuNsSince(before) / left;

  await holds.settle();
  return {
    ...live,
    ...codec,
    queryNs,
    expireNs,
    mergeNs: merge,
    bytesPerRequest,
    bytesPerFinished,
    expiryHoldMs: expiry.longestMs(),
    snapshotHoldMs: snapshot.longestMs(),
    growthHoldMs: growing.longestMs(),
    gcHoldMs: holds.longestCollectionMs(grownMs),
  };
}

function newStats(): LoadStats {
  return new LoadStats(loadStatsOptions(LOAD, newFingerprinting()));
}

/** Requests come and go on top of those in flight; the median batch counts. */
function measureLives(
  stats: LoadStats,
  firstNumber: number,
  now: number,
): Pick<CoreMeasures, 'eventNs' | 'addNs' | 'promptDeleteNs' | 'deleteNs'> {
  const addNs: number[] = [];
  const promptDeleteNs: number[] = [];
  const deleteNs: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const numbers = Array.from({ length: BATCH }, (_, i) => firstNumber + batch * BATCH + i);
    const adds = numbers.map((number) => addEvent(number, now));
    const promptDeletes = numbers.map((number) => promptDeleteEvent(number, now));
    const deletes = numbers.map((number) => deleteEvent(number, now));
    addNs.push(nsEach(adds, (event) => stats.apply(event, now)));
    promptDeleteNs.push(nsEach(promptDeletes, (event) => stats.apply(event, now)));
    deleteNs.push(nsEach(deletes, (event) => stats.apply(event, now)));
  }
  const parts = { addNs: middle(addNs), promptDeleteNs: middle(promptDeleteNs), deleteNs: middle(deleteNs) };
  return { ...parts, eventNs: (parts.addNs + parts.promptDeleteNs + parts.deleteNs) / 3 };
}

/** Each query after a change of one of the rows. */
function measureQuery(stats: LoadStats, firstNumber: number, now: number): number {
  const changes = Array.from({ length: BATCH }, (_, i) => addEvent(firstNumber + i, now));
  let length = 0;
  const ns = nsEach(changes, (event) => {
    stats.apply(event, now);
    length += stats.engines.model(event.cluster)!.toJson().length;
  });
  if (length === 0) throw new Error('no rows');
  return ns;
}

function measureFinished(count: number, now: number): number {
  const before = usedBytes();
  const stats = newStats();
  for (let number = 0; number < count; number++) stats.apply(deleteEvent(number, now), now);
  const bytes = usedBytes() - before;
  if (stats.deletes.size !== count) throw new Error('deletes are missing');
  return bytes / count;
}

const SOURCE = { replica: ORIGIN, deployment: 'bench', speaks: 1, ready: true };

/** Merges a snapshot of `stats` into an empty view. */
function measureMerge(stats: LoadStats, now: number): number {
  const lines = [...snapshotLines(stats, new CausalContext(CONTEXT_OPTIONS), SOURCE)];
  const merge = new SnapshotMerge(newStats(), CONTEXT_OPTIONS, { ...SOURCE, replica: 'another-origin' });
  return nsEach(lines, (line) => merge.line(line, now));
}

function measureCodec(event: AddEvent): Pick<CoreMeasures, 'encodeNs' | 'decodeNs'> {
  const encodeNs: number[] = [];
  const decodeNs: number[] = [];
  const reader = new EventReader();
  for (let batch = 0; batch < BATCHES; batch++) {
    const events = Array.from({ length: BATCH }, (_, i) => ({
      ...event,
      requestId: requestId(i),
      seq: i + 1,
    }));
    let payloads: Buffer[] = [];
    encodeNs.push(nsEach(events, (each) => payloads.push(encodeEvent(each))));
    decodeNs.push(nsEach(payloads, (payload) => reader.read(payload)));
    payloads = [];
  }
  return { encodeNs: middle(encodeNs), decodeNs: middle(decodeNs) };
}

function nsEach<T>(items: readonly T[], work: (item: T) => unknown): number {
  const before = process.cpuUsage();
  for (const item of items) work(item);
  return cpuNsSince(before) / items.length;
}

/** CPU time and not time passed: a busy machine takes the CPU away in the middle of anything. */
function cpuNsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** As the replica sends it; false at the end. */
function takePiece(lines: Generator<string>): boolean {
  for (let length = 0; length < SNAPSHOT_PIECE_LENGTH;) {
    const line = lines.next();
    if (line.done === true) return false;
    length += line.value.length + 1;
  }
  return true;
}

function usedBytes(): number {
  globalThis.gc!();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function addEvent(number: number, timeUs: number): AddEvent {
  return {
    type: 'add',
    origin: ORIGIN,
    seq: number + 1,
    timeUs,
    // Made anew, as when it is read from a message: ids share nothing.
    requestId: Buffer.from(requestId(number)).toString(),
    cluster: `cluster-${number % CLUSTERS}`,
    ip: engineOf(number % ENGINES),
    promptLength: promptLengthOf(number),
    timestampNs: BigInt(timeUs) * 1000n,
  };
}

function promptDeleteEvent(number: number, timeUs: number): PromptDeleteEvent {
  return { type: 'prompt-delete', origin: ORIGIN, seq: number + 1, timeUs, requestId: requestId(number) };
}

function deleteEvent(number: number, timeUs: number): DeleteEvent {
  return { type: 'delete', origin: ORIGIN, seq: number + 1, timeUs, requestId: requestId(number) };
}

main(Number(process.argv[2])).then(
  (measures) => process.stdout.write(JSON.stringify(measures)),
  (error: unknown) => {
    process.stderr.write(String(error));
    process.exitCode = 1;
  },
);
