/**
 * What replicas say to each other, written and read here and nowhere else: heartbeats on the bus, status and requests for
 * snapshots over HTTP, which only carries them. (The records of a snapshot are the core's.) Everything names the deployment
 * and the level that its writer speaks. Read with suspicion: a peer may be of another version, broken or lying.
 */
import type { ContextOptions, OriginJson, LevelJson } from '../core/causal-context';
import { CausalContext } from '../core/causal-context';
import { OWNER_LEVEL, isOrigin } from '../core/event';
import { SeqSet } from '../core/seq-set';
import { parseContext, parseCut, parseLevels } from '../core/snapshot-merge';
import type { DeletionRaises, SnapshotSelection } from '../core/snapshot';
import type { SecondDigest } from '../core/state-digest';
import { JsonObject } from '../wire/json-object';
import type { StateDigests } from './digests';

/** The level of this build: each new kind of event or of record raises it by one. */
export const SPEAKS = 2;

/** Who a replica is. `deployment` is its subject prefix. */
export interface Identity {
  readonly replica: string;
  readonly deployment: string;
  readonly speaks: number;
}

/** Why a request is not answered; for the asker to read. */
export class ProtocolFault extends Error {
  constructor(
    readonly kind: 'invalid' | 'other-deployment',
    message: string,
  ) {
    super(message);
  }
}

// Heartbeats

/** What each replica publishes once a second under `<prefix>.replica.heartbeat`. */
export interface Heartbeat extends Identity {
  readonly ready: boolean;
  /** By the sender's clock. */
  readonly timeUs: number;
  /** Origin, time of its newest event or heartbeat (its own clock), highest seq; the sender itself first. */
  readonly highest: readonly (readonly [origin: string, newestUs: number, highest: number])[];
}

const HEARTBEAT_VERSION = 1;
/** Origins named in one heartbeat; the most recently active ones. */
export const MAX_NAMED_ORIGINS = 64;
export const MAX_HEARTBEAT_BYTES = 16 * 1024;

export function encodeHeartbeat({ replica, deployment, speaks, ready, timeUs, highest }: Heartbeat): Buffer {
  const who = { v: HEARTBEAT_VERSION, deployment, speaks, origin: replica, ready, time_us: timeUs };
  return Buffer.from(JSON.stringify({ ...who, highest }));
}

/** `later` is a heartbeat of a later version, `invalid` is none. */
export function decodeHeartbeat(payload: Uint8Array): Heartbeat | 'later' | 'invalid' {
  if (payload.length > MAX_HEARTBEAT_BYTES) return 'invalid';
  const json = JsonObject.read(payload);
  if (typeof json === 'string') return 'invalid';
  const { v, origin, deployment, speaks, ready, time_us: timeUs, highest } = json.members;
  if (isNatural(v) && v > HEARTBEAT_VERSION) return 'later';
  if (v !== HEARTBEAT_VERSION || !isOrigin(origin) || !isNatural(timeUs) || !Array.isArray(highest)) {
    return 'invalid';
  }
  if (typeof deployment !== 'string' || !isLevel(speaks)) return 'invalid';
  if (highest.length > MAX_NAMED_ORIGINS || !highest.every(isAnnouncement)) return 'invalid';
  return { replica: origin, deployment, speaks, ready: ready === true, timeUs, highest };
}

// Requests

/** The value of a parameter; undefined where it is not given. */
export type Query = (name: string) => string | undefined;

/** Who asks: every request to a peer says it. */
function askerQuery({ deployment, speaks }: Identity): string {
  return `deployment=${encodeURIComponent(deployment)}&speaks=${speaks}`;
}

/**
 * The level to answer in. Throws a ProtocolFault for an asker of another deployment; one that does not say who it is (a
 * person) is answered in the own level.
 */
export function levelFor(query: Query, { deployment, speaks }: Identity): number {
  const asker = query('deployment');
  if (asker !== undefined && asker !== deployment) {
    throw new ProtocolFault('other-deployment', `this replica belongs to the deployment ${deployment}`);
  }
  const asked = query('speaks');
  if (asked === undefined) return speaks;
  if (!/^[1-9]\d{0,5}$/.test(asked))
    throw new ProtocolFault('invalid', 'speaks must be an integer from 1 on');
  return Math.min(speaks, Number(asked));
}

export function statusPath(asker: Identity, digestsAtUs: number | undefined): string {
  const path = `/v1/replica/status?${askerQuery(asker)}`;
  return digestsAtUs === undefined ? path : `${path}&digests_at_us=${digestsAtUs}`;
}

export function readDigestsAt(query: Query): number | undefined {
  const at = query('digests_at_us');
  if (at === undefined) return undefined;
  if (!isNatural(Number(at)))
    throw new ProtocolFault('invalid', 'digests_at_us must be microseconds since 1970');
  return Number(at);
}

/** Well within the 16 KiB that a server takes as headers: so many scattered seconds are asked for as everything. */
const MAX_SELECTION_LENGTH = 12_000;

export function snapshotPath(asker: Identity, selection: SnapshotSelection | undefined): string {
  const path = `/v1/replica/snapshot?${askerQuery(asker)}`;
  if (!selection) return path;
  const { adds, deletions, since } = selection;
  const query = `&adds=${writeRanges(adds)}&deletions=${writeRanges(deletions)}&since=${since.join()}`;
  return query.length > MAX_SELECTION_LENGTH ? path : path + query;
}

/** Of the prefix cache, which is no part of the state. */
export function cachePath(asker: Identity): string {
  return `/v1/replica/cache?${askerQuery(asker)}`;
}

export function readSelection(query: Query): SnapshotSelection | undefined {
  const asked = [query('adds'), query('deletions')];
  if (asked.every((ranges) => ranges === undefined)) return undefined;
  const [adds, deletions] = asked.map((ranges) => readRanges(ranges ?? ''));
  if (!adds || !deletions) {
    throw new ProtocolFault('invalid', 'adds and deletions must be ranges of seconds, such as 100-105,110');
  }
  const since = /^(\d{1,15}),(\d{1,15})$/.exec(query('since') ?? '0,0');
  if (!since) throw new ProtocolFault('invalid', 'since must be two counts, such as 12,3');
  return { adds, deletions, since: [Number(since[1]), Number(since[2])] };
}

/** Seconds that a comparison covers, or that one request names: E and R are a day each at most, and clocks may differ. */
const MAX_SECONDS = 400_000;

function writeRanges(seconds: readonly number[]): string {
  const set = new SeqSet();
  for (const second of seconds) set.add(second);
  const bounds = set.toJSON();
  const rangeAt = (i: number): string =>
    bounds[i] === bounds[i + 1] ? `${bounds[i]!}` : `${bounds[i]!}-${bounds[i + 1]!}`;
  return bounds.flatMap((_, i) => (i % 2 === 0 ? rangeAt(i) : [])).join();
}

function readRanges(text: string): number[] | undefined {
  const seconds: number[] = [];
  for (const range of text === '' ? [] : text.split(',')) {
    const match = /^(\d{1,12})(?:-(\d{1,12}))?$/.exec(range);
    if (!match) return undefined;
    const from = Number(match[1]);
    const to = Number(match[2] ?? from);
    if (to < from || seconds.length + (to - from) >= MAX_SECONDS) return undefined;
    for (let second = from; second <= to; second++) seconds.push(second);
  }
  return seconds;
}

// Status

/** What a replica says of itself. */
export interface PeerStatus extends Identity {
  readonly ready: boolean;
  /** By its clock. */
  readonly timeUs: number;
  /** For people; undefined where it does not say it. */
  readonly busConnected?: boolean | undefined;
  readonly missingEvents?: number | undefined;
  /** What it claims, as far as the asker understands it. */
  readonly context: CausalContext;
  /** Present when asked for. */
  readonly digests: StateDigests | undefined;
}

/** `[second, count, hi, lo]` */
type DigestJson = readonly [number, number, number, number];

/** Written for the level of the asker: context and digests. */
export interface StatusJson extends Identity {
  readonly version: string;
  readonly ready: boolean;
  readonly time_us: number;
  readonly bus: { readonly connected: boolean; readonly reason: string };
  readonly history: object;
  readonly counts: Readonly<Record<string, number>>;
  readonly context: readonly OriginJson[];
  readonly levels: readonly LevelJson[];
  /** Origins of which there was no room for more than their last events: what the context leaves out. */
  readonly cut: readonly string[];
  readonly digests?: ReturnType<typeof digestsJson>;
}

/** The digests that the asker's level knows. */
export function digestsJson(
  { adds, deletions, owned = [], owners = [], raises }: StateDigests,
  level: number,
) {
  const toJson = ({ second, count, hi, lo }: SecondDigest): DigestJson => [second, count, hi, lo];
  const ofOwners = level >= OWNER_LEVEL && { owned: owned.map(toJson), owners: owners.map(toJson) };
  return { adds: adds.map(toJson), deletions: deletions.map(toJson), ...ofOwners, raises };
}

/** Throws an error that says what is wrong when `data` is not a status of the reader's deployment. */
export function readStatus(data: unknown, reader: Identity, contextOptions: ContextOptions): PeerStatus {
  const {
    replica,
    deployment,
    speaks,
    ready,
    time_us: timeUs,
    context,
    levels,
    cut,
    digests,
    bus,
    counts,
  } = objectOf(data);
  if (!isOrigin(replica)) throw new ProtocolFault('invalid', 'the status names no replica');
  if (typeof deployment !== 'string' || !isLevel(speaks)) {
    throw new ProtocolFault('invalid', 'the status names no deployment, or not what the replica speaks');
  }
  if (!isNatural(timeUs)) throw new ProtocolFault('invalid', 'the status has no time');
  if (deployment !== reader.deployment) {
    throw new ProtocolFault('other-deployment', `it belongs to the deployment ${deployment}`);
  }
  const options = { ...contextOptions, speaks: Math.min(speaks, reader.speaks) };
  const seen = CausalContext.fromJSON(parseContext(context, options), options);
  seen.learnLevels(parseLevels(levels, options));
  seen.learnCut(parseCut(cut, options));
  const read = digests === undefined ? undefined : readDigests(objectOf(digests), options.speaks);
  const { connected } = (bus ?? {}) as Record<string, unknown>;
  const { missing_events: missing } = (counts ?? {}) as Record<string, unknown>;
  return {
    replica,
    deployment,
    speaks,
    ready: ready === true,
    timeUs,
    busConnected: typeof connected === 'boolean' ? connected : undefined,
    missingEvents: isNatural(missing) ? missing : undefined,
    context: seen,
    digests: read,
  };
}

function readDigests(
  { adds, deletions, owned, owners, raises }: Record<string, unknown>,
  level: number,
): StateDigests {
  if (!Array.isArray(raises) || raises.length !== 2 || !raises.every(Number.isSafeInteger)) {
    throw new ProtocolFault('invalid', 'the digests have no time');
  }
  return {
    adds: readSeconds(adds),
    deletions: readSeconds(deletions),
    ...(level >= OWNER_LEVEL && { owned: readSeconds(owned), owners: readSeconds(owners) }),
    raises: raises as unknown as DeletionRaises,
  };
}

function readSeconds(value: unknown): SecondDigest[] {
  if (!Array.isArray(value) || value.length > MAX_SECONDS)
    throw new ProtocolFault('invalid', 'there are no digests');
  return value.map((digest: unknown) => {
    if (!Array.isArray(digest) || digest.length !== 4 || !digest.every(Number.isSafeInteger)) {
      throw new ProtocolFault('invalid', 'a digest is malformed');
    }
    const [second, count, hi, lo] = digest as unknown as DigestJson;
    return { second, count, hi, lo };
  });
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new ProtocolFault('invalid', 'it is no object');
  return value as Record<string, unknown>;
}

function isAnnouncement(value: unknown): value is readonly [string, number, number] {
  return Array.isArray(value) && isOrigin(value[0]) && isNatural(value[1]) && isNatural(value[2]);
}

function isNatural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isLevel(value: unknown): value is number {
  return isNatural(value) && value >= 1;
}
