/** How the replica reaches NATS and what it keeps there. */
import type { NatsCredentials, NatsTlsFiles } from '../bus/nats-connection';
import { parseNatsServers, type NatsServer } from '../bus/nats-servers';
import type { EnvReader } from './env-reader';

export interface NatsConfig {
  readonly servers: readonly NatsServer[];
  /** Connect to these alone, and not to those that they announce. */
  readonly ignoreDiscovered: boolean;
  readonly credentials: NatsCredentials;
  readonly tls: NatsTlsFiles;
}

export interface HistoryConfig {
  readonly mode: 'auto' | 'off' | 'required';
  readonly storage: 'memory' | 'file';
  readonly replicas: number;
  readonly maxBytes: number;
}

const MIB = 1024 * 1024;

/** Undefined where NATS_URL is unset: one replica, alone, on an in-process bus. */
export function readNats(reader: EnvReader): NatsConfig | undefined {
  const servers = reader.parsedSecret('NATS_URL', parseNatsServers);
  const credentials: NatsCredentials = {
    user: reader.secret('NATS_USER'),
    pass: reader.secret('NATS_PASS'),
    token: reader.secret('NATS_TOKEN'),
    credsFile: reader.file('NATS_CREDS'),
    nkeySeed: reader.parsedSecret('NATS_NKEY_SEED', (seed) => {
      if (/^SU[A-Z2-7]{56}$/.test(seed)) return seed;
      throw new Error('must be the seed of a user nkey: SU and 56 more letters and digits');
    }),
    nkeySeedFile: reader.file('NATS_NKEY_SEED_FILE'),
  };
  const tls: NatsTlsFiles = {
    caFile: reader.file('NATS_TLS_CA_FILE'),
    certFile: reader.file('NATS_TLS_CERT_FILE'),
    keyFile: reader.file('NATS_TLS_KEY_FILE'),
  };
  reader.requireTogether(['NATS_TLS_CERT_FILE', tls.certFile], ['NATS_TLS_KEY_FILE', tls.keyFile]);
  if (credentials.pass !== undefined && !reader.isSet('NATS_USER')) {
    reader.reject('NATS_PASS', 'needs NATS_USER');
  }
  reader.requireAtMostOne(
    ['NATS_USER', credentials.user],
    ['NATS_TOKEN', credentials.token],
    ['NATS_CREDS', credentials.credsFile],
    ['NATS_NKEY_SEED', credentials.nkeySeed],
    ['NATS_NKEY_SEED_FILE', credentials.nkeySeedFile],
  );
  const ignoreDiscovered =
    reader.oneOf('NATS_IGNORE_DISCOVERED_SERVERS', ['true', 'false'], 'false') === 'true';
  return servers && { servers, ignoreDiscovered, credentials, tls };
}

export function readHistory(reader: EnvReader): HistoryConfig {
  const mode = reader.oneOf('NATS_HISTORY', ['auto', 'off', 'required'], 'auto');
  if (mode === 'required' && !reader.isSet('NATS_URL'))
    reader.reject('NATS_HISTORY', 'can only be required with NATS_URL');
  return {
    mode,
    storage: reader.oneOf('NATS_HISTORY_STORAGE', ['memory', 'file'], 'memory'),
    replicas: reader.integer('NATS_HISTORY_REPLICAS', { min: 1, max: 5 }, 1),
    maxBytes: reader.integer('NATS_HISTORY_MAX_BYTES', { min: MIB, max: 1024 * 1024 * MIB }, 256 * MIB),
  };
}

/** Used on the in-process bus too. */
export function readSubjectPrefix(reader: EnvReader): string {
  const words = /^(?=.{1,100}$)[\w-]+(?:\.[\w-]+)*$/;
  const expected = 'words of letters, digits, _ and - joined by dots, 100 characters at most';
  return reader.text('NATS_SUBJECT_PREFIX', words, expected) ?? 'metadata-center';
}
