/**
 * Every environment variable, declared once: what it takes, its default, and what it is for. From here come the parsing and
 * its errors, `--help`, `docs/configuration.md` and what the start-up log shows.
 */
import { parseNatsServers } from '../bus/nats-servers';
import { httpServerOptions } from '../http/server-options';
import { isToken, parseTokens } from '../security/token-list';
import {
  durationMs,
  file,
  integer,
  oneOf,
  secret,
  text,
  variable,
  type AnyVariable,
  type Variable,
} from './variable';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const MIB = 1024 * 1024;

const address = text(/^[A-Za-z0-9.:_-]{1,253}$/, 'an address or a host name');
const hostName = text(/^[A-Za-z0-9._-]{1,253}$/, 'a host name');
const onOff = oneOf(['on', 'off']);
const trueFalse = oneOf(['true', 'false']);
const port = integer(1, 65_535);
const plainSecret = secret('no space at either end, no control characters', (value) => {
  // A stray line break in a mounted secret is better found here than at the server.
  if (/^(?!\s)\P{Cc}+(?<!\s)$/u.test(value)) return value;
  throw new Error('must not begin or end with a space, or contain line breaks or control characters');
});
const nkeySeed = secret('`SU` and 56 more letters and digits', (seed) => {
  if (/^SU[A-Z2-7]{56}$/.test(seed)) return seed;
  throw new Error('must be the seed of a user nkey: SU and 56 more letters and digits');
});
const token = secret('one token', (value) => {
  if (isToken(value)) return value;
  throw new Error('must be 1 to 512 letters, digits and -._~+/');
});

const http = {
  HTTP_HOST: variable(address, '0.0.0.0', 'where the replica listens'),
  HTTP_PORT: variable(integer(0, 65_535), 8080, '0 takes one that is free'),
  HTTP_TLS_CERT_FILE: variable(
    file('a PEM file'),
    undefined,
    'with `HTTP_TLS_KEY_FILE`: the replica speaks HTTPS only (TLS 1.2 or newer), and expects it of its peers; read again when it changes',
  ),
  HTTP_TLS_KEY_FILE: variable(file('a PEM file'), undefined, 'both or neither'),
  HTTP_KEEP_ALIVE_TIMEOUT: variable(
    durationMs(SECOND, 24 * HOUR),
    httpServerOptions.keepAliveTimeout,
    'how long an idle connection stays open; longer than gateways and load balancers keep it',
  ),
  METADATA_CENTER_AUTH_TOKENS: variable(
    secret('tokens of 1 to 512 letters, digits and `-._~+/`; `=` may follow', parseTokens),
    undefined,
    'comma-separated bearer tokens, each valid; set: every `/v1/` and `/log/` route needs one',
  ),
  METADATA_CENTER_AUTH_TOKENS_FILE: variable(
    file('a file of at least one token'),
    undefined,
    'the same from a file, separated by commas or lines, read again when it changes; not together with the variable above',
  ),
  METADATA_CENTER_PEER_TOKEN: variable(
    token,
    undefined,
    'what a replica shows to its peers first; it is accepted too',
    'the first of the tokens',
  ),
  METADATA_CENTER_REPLAY_POLICY: variable(
    oneOf(['reject', 'accept']),
    'reject',
    '`accept`: answer 200 instead of 40001000 and 40001404, for gateways that count any other status as a failed replica',
  ),
  METADATA_CENTER_MAX_WATCHERS: variable(integer(1, 9_000), 1_000, 'open streams; more are answered 503'),
  DEBUG_HOST: variable(address, '127.0.0.1', 'where the second listener listens'),
  DEBUG_PORT: variable(
    port,
    undefined,
    'a second listener for profiles, usually on 8081; not `HTTP_PORT`; none without it',
  ),
  LOG_LEVEL: variable(oneOf(LOG_LEVELS), 'info', 'JSON lines on stdout'),
};

const nats = {
  NATS_URL: variable(
    secret('`nats://` or `tls://`, host, port (4222 if absent)', parseNatsServers),
    undefined,
    'comma-separated servers; `tls://` demands TLS. Unset: one replica, alone, on an in-process bus. Credentials in it are never logged',
  ),
  NATS_IGNORE_DISCOVERED_SERVERS: variable(
    trueFalse,
    'false',
    'connect to the servers of `NATS_URL` alone, and not to the others of their cluster that they announce',
  ),
  NATS_SUBJECT_PREFIX: variable(
    text(
      /^(?=.{1,100}$)[\w-]+(?:\.[\w-]+)*$/,
      'words of letters, digits, _ and - joined by dots, 100 characters at most',
    ),
    'metadata-center',
    'the first words of every subject; replicas that share a prefix and a NATS share their rows',
  ),
  NATS_USER: variable(
    plainSecret,
    undefined,
    'log in by user and password: one of five ways, at most one of them; what stands in `NATS_URL` goes first',
  ),
  NATS_PASS: variable(plainSecret, undefined, 'needs `NATS_USER`'),
  NATS_TOKEN: variable(plainSecret, undefined, 'log in by token'),
  NATS_CREDS: variable(file('a `.creds` file'), undefined, 'log in by JWT'),
  NATS_NKEY_SEED: variable(nkeySeed, undefined, 'log in by the seed of a user nkey'),
  NATS_NKEY_SEED_FILE: variable(file('a file with that seed'), undefined, 'the same from a file'),
  NATS_TLS_CA_FILE: variable(file('a PEM file'), undefined, 'the authorities to trust; set: TLS is demanded'),
  NATS_TLS_CERT_FILE: variable(file('a PEM file'), undefined, "the client's own certificate"),
  NATS_TLS_KEY_FILE: variable(file('a PEM file'), undefined, 'its key: both or neither'),
  NATS_HISTORY: variable(
    oneOf(['auto', 'off', 'required']),
    'auto',
    'keep events in a JetStream stream and rebuild from it: `auto` where the server allows it, `required` (with `NATS_URL` only) not ready until there is one',
  ),
  NATS_HISTORY_STORAGE: variable(
    oneOf(['memory', 'file']),
    'memory',
    'where the NATS server keeps the stream',
  ),
  NATS_HISTORY_REPLICAS: variable(
    integer(1, 5),
    1,
    'on how many servers of a NATS cluster the stream is kept',
  ),
  NATS_HISTORY_MAX_BYTES: variable(
    integer(MIB, 1024 * 1024 * MIB),
    256 * MIB,
    'the size beyond which the stream discards its oldest events: 1 MiB to 1 TiB',
  ),
};

const peers = {
  META_DATA_CENTER_SVC_DISC_HOST: variable(
    hostName,
    undefined,
    'DNS name whose A records are the replicas, read with the system resolver; unset: no peers',
  ),
  REPLICA_DNS_LOOKUP_INTERVAL: variable(
    durationMs(100, HOUR),
    5 * SECOND,
    'how often it is looked up; the first lookup is at the start',
  ),
  REPLICA_CLIENT_TARGET_PORT: variable(
    port,
    undefined,
    'port of the peers; must be set to find peers where `HTTP_PORT` is 0',
    '`HTTP_PORT`',
  ),
  REPLICA_CLIENT_REQUEST_TIMEOUT: variable(
    durationMs(10, MINUTE),
    SECOND,
    "for a peer's status, and for the first byte of a snapshot",
  ),
  REPLICA_CLIENT_TLS_CA_FILE: variable(
    file('a PEM file'),
    undefined,
    "the authority of the peers' certificates; read again when it changes",
    'what Node.js trusts',
  ),
  REPLICA_CLIENT_TLS_SERVER_NAME: variable(
    hostName,
    undefined,
    "the name, not an address, that the peers' certificates must be for (peers are dialled by address)",
    '`META_DATA_CENTER_SVC_DISC_HOST`',
  ),
  POD_IP: variable(
    text(/./, 'an address'),
    undefined,
    'own IP address, left out of the peers',
    "the host's own addresses",
  ),
  METADATA_CENTER_READY_TIMEOUT: variable(
    durationMs(100, 10 * MINUTE),
    10 * SECOND,
    'the longest that catching up keeps a starting replica from being ready',
  ),
};

const load = {
  METADATA_CENTER_LOAD_REQ_EXPIRE: variable(
    durationMs(100, 24 * HOUR),
    10 * MINUTE,
    'an in-flight request older than this is dropped; the same at all replicas',
  ),
  METADATA_CENTER_LOAD_GC_INTERVAL: variable(
    durationMs(10, HOUR),
    SECOND,
    'how often expiry runs; not longer than the expiry',
    '`1s`, or the expiry if that is shorter',
  ),
  METADATA_CENTER_FINISHED_RETENTION: variable(
    durationMs(100, 24 * HOUR),
    MINUTE,
    'a report of an id within this long after its delete is a late copy of the same request, a later POST is a new request; the same at all replicas',
  ),
  METADATA_CENTER_MAX_IN_FLIGHT: variable(
    integer(1, 10_000_000),
    1_000_000,
    'more adds over HTTP are answered 503; what the bus brings is applied up to twice that, then counted and dropped',
  ),
  METADATA_CENTER_MAX_ENGINES: variable(
    integer(1, 1_000_000),
    100_000,
    'the same for rows, over all clusters',
  ),
  METADATA_CENTER_MAX_OWNERS: variable(
    integer(1, 1_000_000),
    10_000,
    'the same for processes of gateways (`owner`)',
  ),
  METADATA_CENTER_CACHE: variable(
    onOff,
    'on',
    'the prefix cache; `off`: queries are answered empty, saves are ignored',
  ),
  METADATA_CENTER_CACHE_TTL: variable(
    durationMs(SECOND, 24 * HOUR),
    10 * MINUTE,
    'how long a saved prefix counts',
  ),
  METADATA_CENTER_CACHE_MAX_ENTRIES: variable(
    integer(1, 100_000_000),
    1_000_000,
    'prefixes kept, once for each engine, about 32 bytes each; beyond it the oldest go',
  ),
};

export const GROUPS: Readonly<Record<string, Readonly<Record<string, AnyVariable>>>> = {
  HTTP: http,
  NATS: nats,
  Peers: peers,
  Load: load,
};

export const VARIABLES = { ...http, ...nats, ...peers, ...load };
export type VariableName = keyof typeof VARIABLES;

/** What is read of it: what it takes, or its default. */
export type ValueOf<N extends VariableName> =
  (typeof VARIABLES)[N] extends Variable<infer T, infer D> ? T | D : never;
