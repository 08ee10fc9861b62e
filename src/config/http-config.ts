/** What the replica listens on, and whom it lets in. */
import { httpLimits } from '../http/limits';
import { isToken, parseTokens } from '../security/token-list';
import type { EnvReader, Range } from './env-reader';

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

export const PORTS: Range = { min: 1, max: 65_535 };
const HOST = /^[A-Za-z0-9.:_-]{1,253}$/;

export function readHttp(reader: EnvReader): HttpConfig {
  const host = reader.text('HTTP_HOST', HOST, 'an address or a host name') ?? '0.0.0.0';
  const port = reader.integer('HTTP_PORT', { min: 0, max: 65_535 }, 8080);
  const certFile = reader.file('HTTP_TLS_CERT_FILE');
  const keyFile = reader.file('HTTP_TLS_KEY_FILE');
  reader.requireTogether(['HTTP_TLS_CERT_FILE', certFile], ['HTTP_TLS_KEY_FILE', keyFile]);
  const tls = certFile !== undefined && keyFile !== undefined ? { certFile, keyFile } : undefined;
  const maxWatchers = reader.integer('METADATA_CENTER_MAX_WATCHERS', { min: 1, max: 9_000 }, 1_000);
  const keepAliveTimeoutMs = reader.durationMs(
    'HTTP_KEEP_ALIVE_TIMEOUT',
    { min: 1_000, max: 24 * 60 * 60_000 },
    httpLimits.keepAliveTimeout,
  );
  return { host, port, maxWatchers, keepAliveTimeoutMs, tls };
}

/** Undefined: no second listener. */
export function readDebug(reader: EnvReader, http: HttpConfig): DebugConfig | undefined {
  const host = reader.text('DEBUG_HOST', HOST, 'an address or a host name') ?? '127.0.0.1';
  const port = reader.integer('DEBUG_PORT', PORTS, undefined);
  if (port !== undefined && port === http.port)
    reader.reject('DEBUG_PORT', 'must not be the same as HTTP_PORT');
  return port === undefined ? undefined : { host, port };
}

export function readAuth(reader: EnvReader): AuthConfig {
  const tokens = reader.parsedSecret('METADATA_CENTER_AUTH_TOKENS', parseTokens);
  const tokensFile = reader.file('METADATA_CENTER_AUTH_TOKENS_FILE');
  reader.requireAtMostOne(
    ['METADATA_CENTER_AUTH_TOKENS', tokens],
    ['METADATA_CENTER_AUTH_TOKENS_FILE', tokensFile],
  );
  const peerToken = reader.parsedSecret('METADATA_CENTER_PEER_TOKEN', (token) => {
    if (isToken(token)) return token;
    throw new Error('must be 1 to 512 letters, digits and -._~+/');
  });
  return { tokens: tokens ?? [], tokensFile, peerToken };
}
