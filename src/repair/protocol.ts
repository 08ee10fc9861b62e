/**
 * What replicas say to each other, written and read here and nowhere else: heartbeats on the bus, status and requests for
 * snapshots over HTTP, which only carries them. (The records of a snapshot are the core's.) Everything names the deployment
 * and the level that its writer speaks. Read with suspicion: a peer may be of another version, broken or lying.
 */
import { CausalContext, type ContextOptions } from '../core/causal-context';
import { isOrigin } from '../core/event';
import { SeqSet } from '../core/seq-set';
import { parseContext, parseCut, parseLevels } from '../core/snapshot-merge';
import type { DeletionRaises, SnapshotSelection } from '../core/snapshot';
import type { SecondDigest } from '../core/state-digest';
import { JsonObject } from '../wire/json-object';
import { kindsOf, type StateDigests } from './digests';

/** The level of this build: each new kind of event or of record raises it by one. */
export const SPEAKS = 2;

/** Who a replica is. `deployment` is its subject prefix. */
export interface Identity {
  readonly replica: string;
  readonly deployment: string;
  readonly speaks: number;
}

/** What heartbeats and status have in common. */
export interface SignOfLife extends Identity {
  readonly ready: boolean;
  /** By the sender's clock. */
  readonly timeUs: number;
}

/** Why a request is not answered, or an answer not taken in. */
export class ProtocolFault extends Error {
  constructor(
    readonly kind: 'invalid' | 'other-deployment',
    message: string,
  ) {
    super(message);
  }
}

function check(isSo: boolean, wrong: string): asserts isSo {
  if (!isSo) throw new ProtocolFault('invalid', wrong);
}

function isNatural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function objectOf(value: unknown): Record<string, unknown> {
  check(typeof value === 'object' && value !== null, 'it is no object');
  return value as Record<string, unknown>;
}

function signOfLife(json: Record<string, unknown>): SignOfLife {
  const { replica, deployment, speaks, ready, time_us: timeUs } = json;
  check(isOrigin(replica), 'it names no replica');
  check(typeof deployment === 'string', 'it names no deployment');
  check(isNatural(speaks) && speaks >= 1, 'it does not say what the replica speaks');
  check(isNatural(timeUs), 'it has no time');
  return { replica, deployment, speaks, ready: ready === true, timeUs };
}

// Heartbeats

/** What each replica publishes once a second under `<prefix>.replica.heartbeat`. */
export interface Heartbeat extends SignOfLife {
  /** Origin, time of its newest event or heartbeat (its own clock), highest seq; the sender itself first. */
  readonly highest: readonly (readonly [origin: string, newestUs: number, highest: number])[];
}

const HEARTBEAT_VERSION = 1;
/** Origins named in one heartbeat; the most recently active ones. */
export const MAX_NAMED_ORIGINS = 64;
const MAX_HEARTBEAT_BYTES = 16 * 1024;

export function encodeHeartbeat({ timeUs, highest, ...who }: Heartbeat): Buffer {
  return Buffer.from(JSON.stringify({ v: HEARTBEAT_VERSION, ...who, time_us: timeUs, highest }));
}

/** `later` is a heartbeat of a later version, `invalid` is none. */
export function decodeHeartbeat(payload: Uint8Array): Heartbeat | 'later' | 'invalid' {
  if (payload.length > MAX_HEARTBEAT_BYTES) return 'invalid';
  try {
    const json = JsonObject.read(payload);
    check(typeof json !== 'string', 'it is no JSON object');
    const { v, highest } = json.members;
    if (isNatural(v) && v > HEARTBEAT_VERSION) return 'later';
    check(v === HEARTBEAT_VERSION && Array.isArray(highest), 'it is no heartbeat');
    check(highest.length <= MAX_NAMED_ORIGINS && highest.every(isAnnouncement), 'it names no origins');
    return { ...signOfLife(json.members), highest };
  } catch {
    return 'invalid';
  }
}

function isAnnouncement(value: unknown): value is readonly [string, number, number] {
  return Array.isArray(value) && isOrigin(value[0]) && isNatural(value[1]) && isNatural(value[2]);
}

// Requests

/** The value of a parameter; undefined where it is not given. */
export type Query = (name: string) => string | undefined;

/** Every request to a peer says who asks. */
export function pathOf(what: 'status' | 'snapshot' | 'cache', { deployment, speaks }: Identity): string {
  return `/v1/replica/${what}?deployment=${encodeURIComponent(deployment)}&speaks=${speaks}`;
}

/** Integers that a parameter lists: exactly so many, where that is said. */
function readIntegers(query: Query, name: string, many?: number): number[] | undefined {
  const list = query(name);
  if (list === undefined) return undefined;
  check(/^(?:\d{1,16}(?:,\d{1,16})*)?$/.test(list), `${name} must be integers from 0 on, such as 100,105`);
  const integers = list === '' ? [] : list.split(',').map(Number);
  check(integers.every(isNatural), `${name} must be integers up to 2^53`);
  check(many === undefined || integers.length === many, `${name} must be ${many} in number`);
  return integers;
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
  const [asked] = readIntegers(query, 'speaks', 1) ?? [speaks];
  check(asked! >= 1 && asked! < 1e6, 'speaks must be an integer from 1 on');
  return Math.min(speaks, asked!);
}

export function statusPath(asker: Identity, digestsAtUs: number | undefined): string {
  return pathOf('status', asker) + (digestsAtUs === undefined ? '' : `&digests_at_us=${digestsAtUs}`);
}

export function readDigestsAt(query: Query): number | undefined {
  return readIntegers(query, 'digests_at_us', 1)?.[0];
}

/** Well within the 16 KiB that a server takes as headers: so many scattered seconds are asked for as everything. */
const MAX_SELECTION_LENGTH = 12_000;

export function snapshotPath(asker: Identity, selection: SnapshotSelection | undefined): string {
  const path = pathOf('snapshot', asker);
  if (!selection) return path;
  const { adds, deletions, since } = selection;
  const query = `&adds=${writeSeconds(adds)}&deletions=${writeSeconds(deletions)}&since=${since.join()}`;
  return query.length > MAX_SELECTION_LENGTH ? path : path + query;
}

export function readSelection(query: Query): SnapshotSelection | undefined {
  const [adds, deletions] = ['adds', 'deletions'].map((name) => readSeconds(query, name));
  if (!adds && !deletions) return undefined;
  const [deletes, promptDeletes] = readIntegers(query, 'since', 2) ?? [0, 0];
  return { adds: adds ?? [], deletions: deletions ?? [], since: [deletes!, promptDeletes!] };
}

/** Seconds that a comparison covers, or that one request names: E and R are a day each at most, and clocks may differ. */
const MAX_SECONDS = 400_000;

/** Seconds as ranges: the first, how many follow it, how far it is from there to the next range, and so on. */
function writeSeconds(seconds: readonly number[]): string {
  const ranges = new SeqSet();
  for (const second of seconds) ranges.add(second);
  const bounds = ranges.toJSON();
  return bounds.map((bound, i) => bound - (bounds[i - 1] ?? 0)).join();
}

function readSeconds(query: Query, name: string): number[] | undefined {
  const steps = readIntegers(query, name);
  const seconds: number[] = [];
  for (let i = 0, to = 0; steps && i < steps.length; i += 2) {
    const from = to + steps[i]!;
    to = from + (steps[i + 1] ?? NaN);
    check(seconds.length + to - from < MAX_SECONDS, `${name} must be ranges of seconds, such as 100,5,5,0`);
    for (let second = from; second <= to; second++) seconds.push(second);
  }
  return steps && seconds;
}

// Status

/** What a replica says of itself, as `Answering.status` writes it. */
export interface PeerStatus extends SignOfLife {
  /** For people; undefined where it does not say it. */
  readonly busConnected?: boolean | undefined;
  readonly missingEvents?: number | undefined;
  /** What it claims, as far as the asker understands it. */
  readonly context: CausalContext;
  /** Present when asked for. */
  readonly digests: StateDigests | undefined;
}

/** Throws an error that says what is wrong when `data` is not a status of the reader's deployment. */
export function readStatus(data: unknown, reader: Identity, contextOptions: ContextOptions): PeerStatus {
  const json = objectOf(data);
  const sign = signOfLife(json);
  if (sign.deployment !== reader.deployment) {
    throw new ProtocolFault('other-deployment', `it belongs to the deployment ${sign.deployment}`);
  }
  const options = { ...contextOptions, speaks: Math.min(sign.speaks, reader.speaks) };
  const context = CausalContext.fromJSON(parseContext(json['context'], options), options);
  context.learnLevels(parseLevels(json['levels'], options));
  context.learnCut(parseCut(json['cut'], options));
  const digests = json['digests'] === undefined ? undefined : readDigests(json['digests'], options.speaks);
  const { connected } = (json['bus'] ?? {}) as Record<string, unknown>;
  const { missing_events: missing } = (json['counts'] ?? {}) as Record<string, unknown>;
  const busConnected = typeof connected === 'boolean' ? connected : undefined;
  return { ...sign, context, digests, busConnected, missingEvents: isNatural(missing) ? missing : undefined };
}

function readDigests(data: unknown, level: number): StateDigests {
  const json = objectOf(data);
  const { raises } = json;
  check(isIntegers(raises, 2), 'the digests have no time');
  const kinds = kindsOf(level).map((kind) => {
    const digests = json[kind];
    check(Array.isArray(digests) && digests.length <= MAX_SECONDS, 'there are no digests');
    check(
      digests.every((digest) => isIntegers(digest, 4)),
      'a digest is malformed',
    );
    return [kind, digests as unknown as SecondDigest[]];
  });
  return { ...(Object.fromEntries(kinds) as object), raises: raises as unknown as DeletionRaises };
}

function isIntegers(value: unknown, length: number): value is number[] {
  return Array.isArray(value) && value.length === length && value.every(Number.isSafeInteger);
}
