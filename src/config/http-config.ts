/** What the replica listens on, and whom it lets in. */
import type { EnvReader } from './env-reader';

/** PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface HttpConfig {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** Undefined: plain HTTP. */
  readonly tls: TlsFiles | undefined;
  /** Open streams beyond which further ones are refused. */
  readonly maxWatchers: number;
  /** How long an idle connection stays open. */
  readonly keepAliveTimeoutMs: number;
}

export interface DebugConfig {
  readonly host: string;
  readonly port: number;
}

export interface AuthConfig {
  /** Empty and no file: no route asks for a token. */
  readonly tokens: readonly string[];
  readonly tokensFile: string | undefined;
  /** What peers are shown first, and is accepted too; undefined: the first of the others is, if any. */
  readonly peerToken: string | undefined;
}

export function readHttp(reader: EnvReader): HttpConfig {
  const certFile = reader.read('HTTP_TLS_CERT_FILE');
  const keyFile = reader.read('HTTP_TLS_KEY_FILE');
  reader.requireTogether('HTTP_TLS_CERT_FILE', 'HTTP_TLS_KEY_FILE');
  return {
    host: reader.read('HTTP_HOST'),
    port: reader.read('HTTP_PORT'),
    maxWatchers: reader.read('METADATA_CENTER_MAX_WATCHERS'),
    keepAliveTimeoutMs: reader.read('HTTP_KEEP_ALIVE_TIMEOUT'),
    tls: certFile !== undefined && keyFile !== undefined ? { certFile, keyFile } : undefined,
  };
}

/** Undefined: no second listener. */
export function readDebug(reader: EnvReader, http: HttpConfig): DebugConfig | undefined {
  const host = reader.read('DEBUG_HOST');
  const port = reader.read('DEBUG_PORT');
  if (port !== undefined && port === http.port)
    reader.reject('DEBUG_PORT', 'must not be the same as HTTP_PORT');
  return port === undefined ? undefined : { host, port };
}

export function readAuth(reader: EnvReader): AuthConfig {
  reader.requireAtMostOne('METADATA_CENTER_AUTH_TOKENS', 'METADATA_CENTER_AUTH_TOKENS_FILE');
  return {
    tokens: reader.read('METADATA_CENTER_AUTH_TOKENS') ?? [],
    tokensFile: reader.read('METADATA_CENTER_AUTH_TOKENS_FILE'),
    peerToken: reader.read('METADATA_CENTER_PEER_TOKEN'),
  };
}
