/**
 * How the stream should be set up, and what to do about one that is there already. Pure.
 *
 * The description of a stream repeats the settings that a replica gave it. Where the two agree, the settings are this
 * service's own and follow its environment; where they do not, an operator has chosen, and that is left alone.
 */
import { subjectMatches } from '../bus/subject-match';
import { loadWildcard } from '../wire/subjects';

export interface StreamSettings {
  readonly subjectPrefix: string;
  readonly storage: 'memory' | 'file';
  readonly replicas: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

/** The settings that this service gives a stream, under the names of the JetStream API. */
interface ManagedConfig {
  readonly subjects: readonly string[];
  readonly storage: string;
  readonly retention: string;
  readonly discard: string;
  /** Nanoseconds. */
  readonly max_age: number;
  readonly max_bytes: number;
  readonly num_replicas: number;
}

export interface StreamConfig extends ManagedConfig {
  readonly name: string;
  readonly description?: string;
  readonly max_msgs?: number;
}

export interface StreamState {
  readonly messages: number;
  readonly bytes: number;
  readonly first_seq: number;
  readonly first_ts: string;
  readonly last_seq: number;
  readonly last_ts: string;
}

export interface StreamInfo {
  /** When it was made; by the server's clock, as ISO 8601. */
  readonly created: string;
  readonly config: StreamConfig;
  readonly state: StreamState;
  readonly cluster?: {
    readonly leader?: string;
    readonly replicas?: readonly { readonly offline?: boolean }[] | null;
  };
}

const NS_PER_MS = 1_000_000;

/** Stream names have no dots, and the words of a prefix have no plus: two prefixes never make one name. */
export function streamName(subjectPrefix: string): string {
  return `${subjectPrefix.replaceAll('.', '+')}-load`;
}

export function wantedConfig(settings: StreamSettings): StreamConfig {
  const managed: ManagedConfig = {
    subjects: [loadWildcard(settings.subjectPrefix)],
    storage: settings.storage,
    retention: 'limits',
    discard: 'old',
    max_age: settings.maxAgeMs * NS_PER_MS,
    max_bytes: settings.maxBytes,
    num_replicas: settings.replicas,
  };
  return { name: streamName(settings.subjectPrefix), description: describe(managed), ...managed };
}

export interface Adjustment {
  /** The whole configuration to update the stream to; undefined when it is to be left as it is. */
  readonly update: StreamConfig | undefined;
  /** Settings that differ from the environment and stay, for the log. */
  readonly respected: readonly string[];
}

export function adjustmentOf(existing: StreamConfig, wanted: StreamConfig): Adjustment {
  const ours = existing.description === describe(existing);
  const differing = MANAGED.filter((key) => String(existing[key]) !== String(wanted[key]));
  // The storage of a stream cannot be changed.
  const fixed = differing.filter((key) => !ours || key === 'storage');
  const respected = fixed.map((key) => `${key} ${String(existing[key])} instead of ${String(wanted[key])}`);
  if (!ours || differing.length === fixed.length) return { update: undefined, respected };
  const managed = { ...managedOf(wanted), storage: existing.storage };
  return { update: { ...existing, ...managed, description: describe(managed) }, respected };
}

/** Why the stream cannot serve as history at all, if so. */
export function unusable({ config }: Pick<StreamInfo, 'config'>, subjectPrefix: string): string | undefined {
  const subject = loadWildcard(subjectPrefix);
  if (!config.subjects.some((pattern) => subjectMatches(pattern, subject))) {
    return `the stream ${config.name} captures ${config.subjects.join(' ')} and does not capture ${subject}: it is left alone`;
  }
  if (config.retention !== 'limits') return `the stream ${config.name} does not keep what was consumed`;
  return undefined;
}

/** Why the stream takes no events now, if so: most of the servers that keep it have to be there. */
export function withoutQuorum({
  config,
  cluster,
}: Pick<StreamInfo, 'config' | 'cluster'>): string | undefined {
  if (cluster === undefined) return undefined;
  const others = cluster.replicas ?? [];
  const there = (cluster.leader ? 1 : 0) + others.filter(({ offline }) => offline !== true).length;
  const all = Math.max(config.num_replicas, others.length + 1);
  if (cluster.leader && there * 2 > all) return undefined;
  return `the stream ${config.name} keeps no history now: ${there} of ${all} servers are there, and ${cluster.leader ? 'one leads' : 'none leads'}`;
}

/** Why the stream holds less than the events that still matter, if that is known. */
export function shortfall(
  { config, state }: Pick<StreamInfo, 'config' | 'state'>,
  maxAgeMs: number,
): string | undefined {
  const fullBytes = config.max_bytes > 0 && state.bytes >= config.max_bytes * FULL;
  const maxMessages = config.max_msgs ?? -1;
  if (fullBytes || (maxMessages > 0 && state.messages >= maxMessages)) {
    return config.discard === 'new'
      ? `the stream ${config.name} is full and takes no new events`
      : `the stream ${config.name} is full: it keeps events from ${state.first_ts} on only`;
  }
  if (config.max_age > 0 && config.max_age < maxAgeMs * NS_PER_MS) {
    const keptS = config.max_age / NS_PER_MS / 1000;
    return `the stream ${config.name} keeps events for ${keptS} s, not ${maxAgeMs / 1000} s`;
  }
  return undefined;
}

/**
 * Whether the stream holds all that still matters, as far as it can tell: it is older than that, and has dropped its first
 * event, so it was not emptied by a restart of its server. A younger one may have been made when events had been published
 * already, and may have dropped its first one for want of room. What somebody purged it cannot tell.
 */
export function reachesBack({ created, state }: StreamInfo, maxAgeMs: number, nowMs: number): boolean {
  return state.first_seq > 1 && Date.parse(created) + maxAgeMs <= nowMs;
}

/** A stream this full may have dropped events before their time. */
const FULL = 0.95;

const MANAGED = [
  'subjects',
  'storage',
  'retention',
  'discard',
  'max_age',
  'max_bytes',
  'num_replicas',
] as const satisfies readonly (keyof ManagedConfig)[];

function managedOf(config: ManagedConfig): ManagedConfig {
  const { subjects, storage, retention, discard, max_age, max_bytes, num_replicas } = config;
  return { subjects, storage, retention, discard, max_age, max_bytes, num_replicas };
}

function describe(config: ManagedConfig): string {
  return `History of metadata-center, set up by it as ${JSON.stringify(managedOf(config))}`;
}
