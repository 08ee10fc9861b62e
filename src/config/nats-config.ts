/** How the replica reaches NATS and what it keeps there. */
import type { NatsCredentials, NatsTlsFiles } from '../bus/nats-connection';
import type { NatsServer } from '../bus/nats-servers';
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

/** Undefined where NATS_URL is unset: one replica, alone, on an in-process bus. */
export function readNats(reader: EnvReader): NatsConfig | undefined {
  const servers = reader.read('NATS_URL');
  const credentials: NatsCredentials = {
    user: reader.read('NATS_USER'),
    pass: reader.read('NATS_PASS'),
    token: reader.read('NATS_TOKEN'),
    credsFile: reader.read('NATS_CREDS'),
    nkeySeed: reader.read('NATS_NKEY_SEED'),
    nkeySeedFile: reader.read('NATS_NKEY_SEED_FILE'),
  };
  const tls: NatsTlsFiles = {
    caFile: reader.read('NATS_TLS_CA_FILE'),
    certFile: reader.read('NATS_TLS_CERT_FILE'),
    keyFile: reader.read('NATS_TLS_KEY_FILE'),
  };
  reader.requireTogether('NATS_TLS_CERT_FILE', 'NATS_TLS_KEY_FILE');
  if (reader.isSet('NATS_PASS') && !reader.isSet('NATS_USER')) reader.reject('NATS_PASS', 'needs NATS_USER');
  reader.requireAtMostOne('NATS_USER', 'NATS_TOKEN', 'NATS_CREDS', 'NATS_NKEY_SEED', 'NATS_NKEY_SEED_FILE');
  const ignoreDiscovered = reader.read('NATS_IGNORE_DISCOVERED_SERVERS') === 'true';
  return servers && { servers, ignoreDiscovered, credentials, tls };
}

export function readHistory(reader: EnvReader): HistoryConfig {
  const mode = reader.read('NATS_HISTORY');
  if (mode === 'required' && !reader.isSet('NATS_URL'))
    reader.reject('NATS_HISTORY', 'can only be required with NATS_URL');
  return {
    mode,
    storage: reader.read('NATS_HISTORY_STORAGE'),
    replicas: reader.read('NATS_HISTORY_REPLICAS'),
    maxBytes: reader.read('NATS_HISTORY_MAX_BYTES'),
  };
}
