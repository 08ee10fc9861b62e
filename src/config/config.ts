/**
 * The configuration, parsed once from the environment. A bad value is never replaced by the default in silence:
 * all bad variables are named at once, and the process does not start.
 */
import { accessSync, constants } from 'node:fs';
import { isIP } from 'node:net';
import { EnvReader, type Env, type Problem } from './env-reader';
import {
  readAuth,
  readDebug,
  readHttp,
  type AuthConfig,
  type DebugConfig,
  type HttpConfig,
} from './http-config';
import { readHistory, readNats, type HistoryConfig, type NatsConfig } from './nats-config';
import { LOG_LEVELS, VARIABLES } from './variables';

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
  readonly copyPolicy: 'reject' | 'accept';
  readonly auth: AuthConfig;
  /** Undefined: no second listener. */
  readonly debug: DebugConfig | undefined;
  readonly logLevel: LogLevel;
  /** The variables that are set, as they may be shown: without what is secret. */
  readonly shown: Readonly<Record<string, string>>;
  /** What is probably a mistake, to be logged at the start. */
  readonly warnings: readonly string[];
}

export class ConfigError extends Error {
  constructor(readonly problems: readonly Problem[]) {
    super(problems.map(({ variable, problem }) => `${variable} ${problem}`).join('\n'));
    this.name = 'ConfigError';
  }
}

/** Throws one ConfigError for everything that is wrong. */
export function parseConfig(env: Env, isReadable: (path: string) => boolean = canRead): Config {
  const reader = new EnvReader(env, isReadable);
  const http = readHttp(reader);
  const config: Config = {
    http,
    // Used on the in-process bus too.
    subjectPrefix: reader.read('NATS_SUBJECT_PREFIX'),
    nats: readNats(reader),
    history: readHistory(reader),
    peers: readPeers(reader, http),
    readyTimeoutMs: reader.read('METADATA_CENTER_READY_TIMEOUT'),
    load: readLoad(reader),
    cache: {
      on: reader.read('METADATA_CENTER_CACHE') === 'on',
      ttlMs: reader.read('METADATA_CENTER_CACHE_TTL'),
      maxEntries: reader.read('METADATA_CENTER_CACHE_MAX_ENTRIES'),
    },
    copyPolicy: reader.read('METADATA_CENTER_REPLAY_POLICY'),
    auth: readAuth(reader),
    debug: readDebug(reader, http),
    logLevel: reader.read('LOG_LEVEL'),
    shown: reader.shown(),
    warnings: unknownVariables(env),
  };
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  return config;
}

function readPeers(reader: EnvReader, http: HttpConfig): PeersConfig {
  const dnsName = reader.read('META_DATA_CENTER_SVC_DISC_HOST');
  const port = reader.read('REPLICA_CLIENT_TARGET_PORT') ?? http.port;
  if (dnsName !== undefined && port === 0) {
    reader.reject('REPLICA_CLIENT_TARGET_PORT', 'must be set where HTTP_PORT is 0 and peers are looked for');
  }
  const ownAddress = reader.read('POD_IP');
  if (ownAddress !== undefined && isIP(ownAddress) === 0) {
    reader.reject('POD_IP', `must be an IP address, not ${JSON.stringify(ownAddress.slice(0, 60))}`);
  }
  return {
    dnsName,
    dnsLookupIntervalMs: reader.read('REPLICA_DNS_LOOKUP_INTERVAL'),
    port,
    requestTimeoutMs: reader.read('REPLICA_CLIENT_REQUEST_TIMEOUT'),
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
  const caFile = reader.read('REPLICA_CLIENT_TLS_CA_FILE');
  const named = reader.read('REPLICA_CLIENT_TLS_SERVER_NAME');
  if (named !== undefined && isIP(named) !== 0) {
    reader.reject('REPLICA_CLIENT_TLS_SERVER_NAME', 'must be a host name, not an address');
  }
  const serverName = named ?? dnsName;
  const serve = http.tls !== undefined || caFile !== undefined || named !== undefined;
  return serve && serverName !== undefined ? { serverName, caFile } : undefined;
}

function readLoad(reader: EnvReader): LoadConfig {
  const expireAfterMs = reader.read('METADATA_CENTER_LOAD_REQ_EXPIRE');
  const gcIntervalMs = reader.read('METADATA_CENTER_LOAD_GC_INTERVAL');
  if (reader.isSet('METADATA_CENTER_LOAD_GC_INTERVAL') && gcIntervalMs > expireAfterMs) {
    reader.reject(
      'METADATA_CENTER_LOAD_GC_INTERVAL',
      'must not be longer than METADATA_CENTER_LOAD_REQ_EXPIRE',
    );
  }
  return {
    expireAfterMs,
    gcIntervalMs: Math.min(gcIntervalMs, expireAfterMs),
    finishedRetentionMs: reader.read('METADATA_CENTER_FINISHED_RETENTION'),
    maxInFlight: reader.read('METADATA_CENTER_MAX_IN_FLIGHT'),
    maxEngines: reader.read('METADATA_CENTER_MAX_ENGINES'),
    maxOwners: reader.read('METADATA_CENTER_MAX_OWNERS'),
  };
}

/** What Kubernetes puts into the environment of every pod when a Service is named metadata-center. */
const SERVICE_LINK = /^METADATA_CENTER\w*?_(?:SERVICE_(?:HOST|PORT)|PORT)(?:_\w+)?$/;

function unknownVariables(env: Env): string[] {
  return Object.keys(env)
    .filter((name) => /^META_?DATA_CENTER_/.test(name) && env[name] !== '' && env[name] !== undefined)
    .filter((name) => !(name in VARIABLES) && !SERVICE_LINK.test(name))
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
