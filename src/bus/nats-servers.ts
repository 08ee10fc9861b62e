/** The servers named by NATS_URL. The client itself ignores credentials and schemes in URLs, so they are read here. */

import { isIP } from 'node:net';
import { isDeepStrictEqual } from 'node:util';

export interface NatsServer {
  readonly host: string;
  readonly port: number;
  /** TLS is demanded, not only used where the server offers it. */
  readonly tls: boolean;
  /** The name that the server's certificate must have. */
  readonly certificateName: string;
  /** Credentials in the URL: they go before all others. */
  readonly user: string | undefined;
  readonly pass: string | undefined;
  readonly token: string | undefined;
}

const DEFAULT_PORT = 4222;

/**
 * Reads `nats://user:pass@host:4222,tls://token@host,host:4222`. Throws an Error whose message names the position in
 * the list but repeats nothing of it: there may be a password in it. One that is named twice is one server.
 */
export function parseNatsServers(urls: string): NatsServer[] {
  const servers = new Map<string, NatsServer>();
  for (const [index, url] of urls.split(',').entries()) {
    const server = parseNatsServer(url.trim());
    if (typeof server === 'string') throw new Error(`server ${index + 1}: ${server}`);
    const same = servers.get(nameOf(server));
    if (same !== undefined && !isDeepStrictEqual(same, server)) {
      throw new Error(`server ${index + 1}: named before with other credentials, or another scheme`);
    }
    servers.set(nameOf(server), server);
  }
  return [...servers.values()];
}

/** `host:port` without a scheme, as a NATS server announces the others of its cluster. */
export function announcedServer(hostPort: string, by: NatsServer): NatsServer | undefined {
  const server = parseNatsServer(hostPort);
  if (typeof server === 'string') return undefined;
  const { host, port } = server;
  return { ...by, host, port, certificateName: isIP(host) === 0 ? host : by.certificateName };
}

function parseNatsServer(text: string): NatsServer | string {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `nats://${text}`;
  let url: URL;
  let user: string;
  let pass: string;
  try {
    url = new URL(withScheme);
    user = decodeURIComponent(url.username);
    pass = decodeURIComponent(url.password);
  } catch {
    return 'not a URL';
  }
  if (url.protocol !== 'nats:' && url.protocol !== 'tls:') return 'the scheme must be nats:// or tls://';
  if (url.hostname === '') return 'the host is missing';
  if (url.port === '0') return 'the port must be 1 to 65535';
  if ((url.pathname !== '' && url.pathname !== '/') || url.search !== '' || url.hash !== '') {
    return 'nothing may follow the port';
  }
  if (user === '' && pass !== '') return 'the user is missing';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return {
    host,
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    tls: url.protocol === 'tls:',
    certificateName: host,
    user: pass === '' ? undefined : user,
    pass: pass === '' ? undefined : pass,
    token: pass === '' && user !== '' ? user : undefined,
  };
}

/** As it is written in logs: without credentials. */
export function nameOf(server: NatsServer): string {
  return server.host.includes(':') ? `[${server.host}]:${server.port}` : `${server.host}:${server.port}`;
}
