/**
 * Merges a snapshot line by line. Every record is checked: a peer may be of another version, broken or lying. Records
 * merged before a fault are harmless, as each is true by itself; what the peer claims to have seen counts only after the
 * end mark.
 */
import type { ContextOptions, OriginJson, LevelJson } from './causal-context';
import { CausalContext, FREE_INTERVALS } from './causal-context';
import { MAX_ROWS_OF_A_DELETE } from './deletion-times';
import {
  CANONICAL_IPV4,
  MAX_OWNER_TTL_MS,
  MAX_PROMPT_LENGTH,
  MIN_OWNER_TTL_MS,
  isName,
  isOrigin,
  isOwner,
} from './event';
import { Fingerprint } from './fingerprint';
import type { LoadStats, Outcome } from './load-stats';
import type { SnapshotSource } from './snapshot';
import { SNAPSHOT_VERSION } from './snapshot';

export class SnapshotFault extends Error {}

/** The replica that merges. */
export interface SnapshotReader {
  readonly replica: string;
  readonly deployment: string;
  readonly speaks: number;
}

/** Above the first. */
const MAX_LEVELS = 8;
const TIMESTAMP = /^-?\d{1,19}$/;

export class SnapshotMerge {
  source: SnapshotSource | undefined;
  /** What the snapshot claims to show; to be joined only when `claimable`. */
  context: CausalContext | undefined;
  /** What its writer says of events above the first level. */
  levels: readonly LevelJson[] = [];
  /** True once the end mark has come. */
  complete = false;
  records = 0;
  /** Records that the view had no room for, or that are ahead of its time. */
  refused = 0;
  /** Records of kinds that are not known here. */
  skipped = 0;
  private readonly id: Fingerprint;
  private readonly rows = new Map<number, { cluster: string; ip: string }>();

  constructor(
    private readonly stats: LoadStats,
    private readonly contextOptions: ContextOptions,
    private readonly reader: SnapshotReader,
  ) {
    this.id = new Fingerprint(stats.options.fingerprinting);
  }

  /**
   * Whether what it claims is here now: it came to its end, there was room for all of it, and it was written in a level
   * that this replica speaks, so that no claim is of what was skipped (I9).
   */
  get claimable(): boolean {
    return this.complete && this.refused === 0 && this.source!.speaks <= this.reader.speaks;
  }

  line(text: string, nowUs: number): void {
    if (this.complete) throw new SnapshotFault('there is more after the end mark');
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new SnapshotFault('a line is not JSON');
    }
    if (!this.context) {
      this.header(value);
      return;
    }
    if (!Array.isArray(value)) throw new SnapshotFault('a record is not an array');
    const record: readonly unknown[] = value;
    switch (record[0]) {
      case 'end':
        this.end(record);
        return;
      case 'row':
        this.row(record, nowUs);
        break;
      case 'owner':
        this.owner(record, nowUs);
        break;
      case 'add':
        this.add(record, nowUs);
        break;
      case 'prompt-delete':
        this.count(this.stats.mergePromptDelete(this.idOf(record), time(record[5]), nowUs));
        break;
      case 'delete':
        this.delete(record, nowUs);
        break;
      default:
        this.skipped++;
    }
    this.records++;
  }

  private header(value: unknown): void {
    if (typeof value !== 'object' || value === null)
      throw new SnapshotFault('the first line is not a header');
    const header = value as Record<string, unknown>;
    if (header['snapshot'] !== SNAPSHOT_VERSION)
      throw new SnapshotFault('the snapshot is of another version');
    const replica = origin(header['replica']);
    if (replica === this.reader.replica) throw new SnapshotFault('the snapshot is this replica’s own');
    const { deployment } = header;
    if (deployment !== this.reader.deployment)
      throw new SnapshotFault('the snapshot is of another deployment');
    this.context = CausalContext.fromJSON(
      parseContext(header['context'], this.contextOptions),
      this.contextOptions,
    );
    this.levels = parseLevels(header['levels'], this.contextOptions);
    this.context.learnLevels(this.levels);
    const speaks = natural(header['speaks']);
    this.source = { replica, ready: header['ready'] === true, deployment, speaks };
  }

  private row(record: readonly unknown[], nowUs: number): void {
    const cluster = text(record[2]);
    const ip = record[3];
    if (typeof ip !== 'string' || !CANONICAL_IPV4.test(ip))
      throw new SnapshotFault('a row has no IPv4 address');
    const number = natural(record[1]);
    if (this.rows.size >= this.stats.options.engineCeiling && !this.rows.has(number))
      throw new SnapshotFault('there are too many rows');
    this.rows.set(number, { cluster, ip });
    this.count(this.stats.mergeRow(cluster, ip, time(record[4]), nowUs));
  }

  private owner(record: readonly unknown[], nowUs: number): void {
    const [leaseUs, ttlMs] = [time(record[2]), natural(record[3])];
    if (leaseUs > 0 && (ttlMs < MIN_OWNER_TTL_MS || ttlMs > MAX_OWNER_TTL_MS)) {
      throw new SnapshotFault('a ttl is out of range');
    }
    const [goneUs, newestAddUs] = [time(record[4]), time(record[5])];
    this.count(this.stats.mergeOwner({ name: owner(record[1]), leaseUs, ttlMs, goneUs, newestAddUs }, nowUs));
  }

  private add(record: readonly unknown[], nowUs: number): void {
    const row = this.rows.get(natural(record[1]));
    if (!row) throw new SnapshotFault('an add names an unknown row');
    const promptLength = natural(record[5]);
    if (promptLength > MAX_PROMPT_LENGTH) throw new SnapshotFault('a prompt length is out of range');
    const timestamp = record[6];
    if (timestamp !== null && (typeof timestamp !== 'string' || !TIMESTAMP.test(timestamp))) {
      throw new SnapshotFault('a timestamp is not an integer');
    }
    const fields = {
      timeUs: time(record[3]),
      origin: origin(record[4]),
      cluster: row.cluster,
      ip: row.ip,
      promptLength,
      timestampNs: timestamp === null ? undefined : BigInt(timestamp),
      owner: record[8] === undefined ? undefined : owner(record[8]),
    };
    const requestId = text(record[2]);
    if (record[7] !== undefined && record[7] !== null) {
      this.count(this.stats.mergePromptDelete(this.id.of(requestId), time(record[7]), nowUs));
    }
    this.count(this.stats.mergeAdd(requestId, fields, nowUs));
  }

  private delete(record: readonly unknown[], nowUs: number): void {
    if (record.length > 6 + MAX_ROWS_OF_A_DELETE) throw new SnapshotFault('a delete names too many rows');
    const rows = [];
    for (let i = 6; i < record.length; i++) {
      const row = this.rows.get(natural(record[i]));
      if (!row) throw new SnapshotFault('a delete names an unknown row');
      rows.push(row);
    }
    this.count(this.stats.mergeDelete(this.idOf(record), time(record[5]), nowUs, rows));
  }

  private idOf(record: readonly unknown[]): Fingerprint {
    return this.id.set(int32(record[1]), int32(record[2]), int32(record[3]), int32(record[4]));
  }

  private end(record: readonly unknown[]): void {
    if (record[1] !== this.records) throw new SnapshotFault('records are missing');
    this.complete = true;
  }

  private count(outcome: Outcome): void {
    if (outcome !== 'applied' && outcome !== 'expired') this.refused++;
  }
}

/** Checks a context that came as JSON, also its size: every replica keeps to the same bounds. Throws a SnapshotFault. */
export function parseContext(
  value: unknown,
  { maxOrigins, maxIntervals, maxIntervalsInAll }: ContextOptions,
): readonly OriginJson[] {
  if (!Array.isArray(value)) throw new SnapshotFault('there is no context');
  if (value.length > maxOrigins) throw new SnapshotFault('the context has too many origins');
  let excess = 0;
  for (const entry of value as unknown[]) {
    if (!Array.isArray(entry) || entry.length < 3 || entry.length % 2 === 0) {
      throw new SnapshotFault('an origin of the context is malformed');
    }
    const [name, newestUs, highest, ...bounds] = entry as unknown[];
    origin(name);
    time(newestUs);
    natural(highest);
    checkIntervals(bounds, maxIntervals);
    excess += Math.max(0, bounds.length / 2 - FREE_INTERVALS);
  }
  if (excess > maxIntervalsInAll) throw new SnapshotFault('the context has too many intervals');
  return value as readonly OriginJson[];
}

/** Checks what a peer says of the levels of events; where it says nothing, all are of the first. Throws a SnapshotFault. */
export function parseLevels(
  value: unknown,
  { maxOrigins, maxIntervals, maxIntervalsInAll }: ContextOptions,
): readonly LevelJson[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MAX_LEVELS * maxOrigins) {
    throw new SnapshotFault('the levels are no list');
  }
  let held = 0;
  for (const entry of value as unknown[]) {
    if (!Array.isArray(entry) || entry.length % 2 === 1) throw new SnapshotFault('a level is malformed');
    origin(entry[0]);
    if (natural(entry[1]) < 2) throw new SnapshotFault('a level is out of range');
    checkIntervals(entry.slice(2) as unknown[], maxIntervals);
    held += entry.length / 2;
  }
  if (held > maxIntervalsInAll + FREE_INTERVALS * maxOrigins) {
    throw new SnapshotFault('the levels have too many intervals');
  }
  return value as readonly LevelJson[];
}

/** Checks which origins a peer says that it has cut; none where it says nothing. Throws a SnapshotFault. */
export function parseCut(value: unknown, { maxOrigins }: ContextOptions): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > maxOrigins) throw new SnapshotFault('what is cut is no list');
  return (value as unknown[]).map(origin);
}

function checkIntervals(bounds: readonly unknown[], most: number): void {
  if (bounds.length > 2 * most) throw new SnapshotFault('an origin has too many intervals');
  let previous = -1;
  bounds.forEach((bound, i) => {
    const number = natural(bound);
    // Intervals ascend with gaps between them; an interval may be a single seq.
    const ascends = i % 2 === 0 ? number > previous + 1 : number >= previous;
    if (!ascends) throw new SnapshotFault('the intervals of an origin do not ascend');
    previous = number;
  });
}

function text(value: unknown): string {
  if (!isName(value)) throw new SnapshotFault('a name is missing, too long or not text');
  return value;
}

function origin(value: unknown): string {
  if (!isOrigin(value)) throw new SnapshotFault('an origin is missing or malformed');
  return value;
}

function owner(value: unknown): string {
  if (!isOwner(value)) throw new SnapshotFault('an owner is malformed');
  return value;
}

function natural(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new SnapshotFault('a number is out of range');
  return value as number;
}

const time = natural;

function int32(value: unknown): number {
  if (typeof value !== 'number' || (value | 0) !== value)
    throw new SnapshotFault('a fingerprint is out of range');
  return value;
}
