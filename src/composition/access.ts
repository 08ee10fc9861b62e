/**
 * Builds what secrets and certificates go into: the tokens, the transport to the peers, and the server with its TLS.
 * Their files are followed, so that they rotate without a restart.
 */
import type { AuthConfig, HttpConfig } from '../config/http-config';
import type { PeersConfig } from '../config/config';
import type { HttpDependencies } from '../http/dependencies';
import { httpServerOptions } from '../http/server-options';
import { HttpServer } from '../http/server';
import { checkedAuthorities, type PeerTls } from '../repair/peer-client';
import { AccessTokens } from '../security/access-tokens';
import { parseTokenFile } from '../security/token-list';
import type { LiveFiles } from './live-files';

export function createAccessTokens(
  { tokens, tokensFile, peerToken }: AuthConfig,
  files: LiveFiles,
): AccessTokens {
  const accessTokens = new AccessTokens(tokens, peerToken);
  if (tokensFile !== undefined) {
    files.follow('METADATA_CENTER_AUTH_TOKENS_FILE', [tokensFile], ([text]) =>
      accessTokens.replace(parseTokenFile(text!.toString())),
    );
  }
  return accessTokens;
}

export function asksForTokens({ tokens, tokensFile }: AuthConfig): boolean {
  return tokens.length > 0 || tokensFile !== undefined;
}

export function createPeerTls({ tls }: PeersConfig, files: LiveFiles): PeerTls | undefined {
  let ca: Buffer | undefined;
  if (tls?.caFile !== undefined) {
    files.follow('REPLICA_CLIENT_TLS_CA_FILE', [tls.caFile], ([pem]) => {
      ca = checkedAuthorities(pem!);
    });
  }
  return tls && { serverName: tls.serverName, ca: () => ca };
}

export function createHttpServer(
  { tls, keepAliveTimeoutMs }: HttpConfig,
  dependencies: HttpDependencies,
  files: LiveFiles,
): HttpServer {
  const options = { ...httpServerOptions, keepAliveTimeout: keepAliveTimeoutMs };
  if (!tls) return new HttpServer(dependencies, options);
  const server = new HttpServer(dependencies, options, 'https');
  files.follow('HTTP_TLS_CERT_FILE and HTTP_TLS_KEY_FILE', [tls.certFile, tls.keyFile], ([cert, key]) =>
    server.useKeyPair(cert!, key!),
  );
  return server;
}
