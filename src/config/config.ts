/**
 * The configuration, parsed once from the environment. A bad value is never replaced by the default in silence:
 * all bad variables are named at once, and the process does not start.
 */
import { accessSync, constants } from 'node:fs';
import { isIP } from 'node:net';
import { EnvReader, type Env, type Problem } from './env-reader';
import {
  PORTS,
  readAuth,
  readDebug,
  readHttp,
  type AuthConfig,
  type DebugConfig,
  type HttpConfig,
} from './http-config';
import { readHistory, readNats, readSubjectPrefix, type HistoryConfig, type NatsConfig } from './nats-config';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface PeersConfig {
  /** Undefined: no peers are looked for. */
  readonly dnsName: string | undefined;
  readonly dnsLookupIntervalMs: number;
  readonly port: number;
  readonly requestTimeoutMs: number;
  /** Left out of the peers; undefined: the host's own addresses are. */
  readonly ownAddress: string | undefined;
  /** Undefined: plain HTTP. */
  readonly tls: PeersTlsConfig | undefined;
}

export interface PeersTlsConfig {
  /** Peers are dialled by address; their certificates must be for this name. */
  readonly serverName: string;
  /** Undefined: the authorities that Node.js trusts. */
  readonly caFile: string | undefined;
}

export interface LoadConfig {
  readonly expireAfterMs: number;
  readonly gcIntervalMs: number;
  readonly finishedRetentionMs: number;
  readonly maxInFlight: number;
  readonly maxEngines: number;
  readonly maxOwners: number;
}

export interface CacheConfig {
  readonly on: boolean;
  readonly ttlMs: number;
  readonly maxEntries: number;
}

export interface Config {
  readonly http: HttpConfig;
  readonly subjectPrefix: string;
  /** Undefined: one replica, alone, on an in-process bus. */
  readonly nats: NatsConfig | undefined;
  readonly history: HistoryConfig;
  readonly peers: PeersConfig;
  readonly readyTimeoutMs: number;
  readonly load: LoadConfig;
  readonly cache: CacheConfig;
  readonly replayPolicy: 'reject' | 'accept';
  readonly auth: AuthConfig;
  /** Undefined: no second listener. */
  readonly debug: DebugConfig | undefined;
  readonly logLevel: LogLevel;
  /** What is probably a mistake, to be logged at the start. */
  readonly warnings: readonly string[];
}

export class ConfigError extends Error {
  constructor(readonly problems: readonly Problem[]) {
    super(problems.map(({ variable, problem }) => `${variable} ${problem}`).join('\n'));
    this.name = 'ConfigError';
  }
}

const HOST_NAME = /^[A-Za-z0-9._-]{1,253}$/;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Throws one ConfigError for everything that is wrong. */
export function parseConfig(env: Env, isReadable: (path: string) => boolean = canRead): Config {
  const reader = new EnvReader(env, isReadable);
  const http = readHttp(reader);
  const config: Config = {
    http,
    subjectPrefix: readSubjectPrefix(reader),
    nats: readNats(reader),
    history: readHistory(reader),
    peers: readPeers(reader, http),
    readyTimeoutMs: reader.durationMs(
      'METADATA_CENTER_READY_TIMEOUT',
      { min: 100, max: 10 * MINUTE },
      10 * SECOND,
    ),
    load: readLoad(reader),
    cache: readCache(reader),
    replayPolicy: reader.oneOf('METADATA_CENTER_REPLAY_POLICY', ['reject', 'accept'], 'reject'),
    auth: readAuth(reader),
    debug: readDebug(reader, http),
    logLevel: reader.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    // Last: by now the reader knows every variable.
    warnings: unknownVariables(env, reader),
  };
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  return config;
}

function readPeers(reader: EnvReader, http: HttpConfig): PeersConfig {
  const dnsName = reader.text('META_DATA_CENTER_SVC_DISC_HOST', HOST_NAME, 'a host name');
  const port = reader.integer('REPLICA_CLIENT_TARGET_PORT', PORTS, http.port);
  if (dnsName !== undefined && port === 0) {
    reader.reject('REPLICA_CLIENT_TARGET_PORT', 'must be set where HTTP_PORT is 0 and peers are looked for');
  }
  const ownAddress = reader.text('POD_IP', /./, 'an address');
  if (ownAddress !== undefined && isIP(ownAddress) === 0) {
    reader.reject('POD_IP', `must be an IP address, not ${JSON.stringify(ownAddress.slice(0, 60))}`);
  }
  return {
    dnsName,
    dnsLookupIntervalMs: reader.durationMs(
      'REPLICA_DNS_LOOKUP_INTERVAL',
      { min: 100, max: HOUR },
      5 * SECOND,
    ),
    port,
    requestTimeoutMs: reader.durationMs('REPLICA_CLIENT_REQUEST_TIMEOUT', { min: 10, max: MINUTE }, SECOND),
    ownAddress,
    tls: readPeersTls(reader, http, dnsName),
  };
}

/** Replicas are configured alike: where this one serves TLS, its peers do. */
function readPeersTls(
  reader: EnvReader,
  http: HttpConfig,
  dnsName: string | undefined,
): PeersTlsConfig | undefined {
  const caFile = reader.file('REPLICA_CLIENT_TLS_CA_FILE');
  const named = reader.text('REPLICA_CLIENT_TLS_SERVER_NAME', HOST_NAME, 'a host name');
  if (named !== undefined && isIP(named) !== 0) {
    reader.reject('REPLICA_CLIENT_TLS_SERVER_NAME', 'must be a host name, not an address');
  }
  const serverName = named ?? dnsName;
  const serve = http.tls !== undefined || caFile !== undefined || named !== undefined;
  return serve && serverName !== undefined ? { serverName, caFile } : undefined;
}

function readLoad(reader: EnvReader): LoadConfig {
  const hours = { min: 100, max: 24 * HOUR };
  const expireAfterMs = reader.durationMs('METADATA_CENTER_LOAD_REQ_EXPIRE', hours, 10 * MINUTE);
  const gcIntervalMs = reader.durationMs(
    'METADATA_CENTER_LOAD_GC_INTERVAL',
    { min: 10, max: HOUR },
    Math.min(SECOND, expireAfterMs),
  );
  if (gcIntervalMs > expireAfterMs) {
    reader.reject(
      'METADATA_CENTER_LOAD_GC_INTERVAL',
      'must not be longer than METADATA_CENTER_LOAD_REQ_EXPIRE',
    );
  }
  return {
    expireAfterMs,
    gcIntervalMs,
    finishedRetentionMs: reader.durationMs('METADATA_CENTER_FINISHED_RETENTION', hours, MINUTE),
    maxInFlight: reader.integer('METADATA_CENTER_MAX_IN_FLIGHT', { min: 1, max: 10_000_000 }, 1_000_000),
    maxEngines: reader.integer('METADATA_CENTER_MAX_ENGINES', { min: 1, max: 1_000_000 }, 100_000),
    maxOwners: reader.integer('METADATA_CENTER_MAX_OWNERS', { min: 1, max: 1_000_000 }, 10_000),
  };
}

function readCache(reader: EnvReader): CacheConfig {
  return {
    on: reader.oneOf('METADATA_CENTER_CACHE', ['on', 'off'], 'on') === 'on',
    ttlMs: reader.durationMs('METADATA_CENTER_CACHE_TTL', { min: SECOND, max: 24 * HOUR }, 10 * MINUTE),
    maxEntries: reader.integer('METADATA_CENTER_CACHE_MAX_ENTRIES', { min: 1, max: 100_000_000 }, 1_000_000),
  };
}

/** What Kubernetes puts into the environment of every pod when a Service is named metadata-center. */
const SERVICE_LINK = /^METADATA_CENTER\w*?_(?:SERVICE_(?:HOST|PORT)|PORT)(?:_\w+)?$/;

function unknownVariables(env: Env, reader: EnvReader): string[] {
  return Object.keys(env)
    .filter((name) => /^META_?DATA_CENTER_/.test(name) && env[name] !== '' && env[name] !== undefined)
    .filter((name) => !reader.knows(name) && !SERVICE_LINK.test(name))
    .sort()
    .map((name) => `${name} is not a variable of this service`);
}

function canRead(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
