/**
 * One connection to one NATS server. The only file that imports the NATS client.
 *
 * The client's own reconnecting is switched off and done by the caller, who opens a fresh connection each time:
 * the client would keep the reason of a failed first attempt to itself, drop subscriptions that were once denied, and
 * forget servers that failed at the start.
 */
import { readFile } from 'node:fs/promises';
import { createConnection, isIP, type Socket } from 'node:net';
import {
  connect,
  createInbox,
  credsAuthenticator,
  DebugEvents,
  Events,
  nkeyAuthenticator,
  type Authenticator,
  type ConnectionOptions,
  type NatsConnection,
} from 'nats';
import type { Lookup } from '../dns/system-lookup';
import { nameOf, type NatsServer } from './nats-servers';

export { createInbox, type NatsConnection };

/** Hundreds of events: what a turn has no time for is kept, or refused, in a millisecond or two. */
const READ_A_TURN_BYTES = 128 * 1024;

/** Named after the options of the NATS client. Files are read anew for each connection, so they can be rotated. */
export interface NatsCredentials {
  readonly user: string | undefined;
  readonly pass: string | undefined;
  readonly token: string | undefined;
  readonly credsFile: string | undefined;
  readonly nkeySeed: string | undefined;
  readonly nkeySeedFile: string | undefined;
}

export interface NatsTlsFiles {
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

export interface NatsConnectionOptions {
  readonly clientName: string;
  readonly credentials: NatsCredentials;
  readonly tls: NatsTlsFiles;
  readonly timeoutMs: number;
  /** Rejects within a bounded time for a name that can't be looked up. Bus and history share one. */
  readonly lookUp: Lookup;
  readonly pingIntervalMs: number;
  /** Unanswered pings after which the link counts as dead. */
  readonly maxPingOut: number;
}

export interface NatsConnectionEvents {
  onDenied(operation: string, subject: string): void;
  onServerError(code: string): void;
  /** `host:port` of the other servers of the cluster, as far as known. */
  onServers(announced: readonly string[]): void;
}

export interface OpenConnection {
  readonly connection: NatsConnection;
  /** Settles when the connection has ended, with the reason. */
  readonly ended: Promise<string>;
}

/** Rejects with an error for `describeError`. */
export async function openConnection(
  server: NatsServer,
  options: NatsConnectionOptions,
  events: NatsConnectionEvents,
): Promise<OpenConnection> {
  // The client's own lookup can't be bounded: it is left to one that has just been answered.
  await options.lookUp(server.host);
  const connection = await connect({
    servers: [nameOf(server)],
    name: options.clientName,
    noEcho: true,
    reconnect: false,
    // The system resolver with all its addresses is Node's; the client's own lookup ignores the hosts file.
    resolve: false,
    noAsyncTraces: true,
    timeout: options.timeoutMs,
    pingInterval: options.pingIntervalMs,
    maxPingOut: options.maxPingOut,
    ...(await credentialOptions(server, options.credentials)),
    ...(await tlsOptions(server, options.tls)),
  });
  readInTurns(connection);
  events.onServers(connection.info?.connect_urls ?? []);
  return { connection, ended: watch(connection, events) };
}

/**
 * A socket with a backlog hands over up to 2 MiB in one turn of the event loop, which the client would read at once. It
 * shows its socket to nobody.
 */
function readInTurns(connection: NatsConnection): void {
  const { socket } = (connection as unknown as { protocol: { transport: { socket: Socket } } }).protocol
    .transport;
  let read = 0;
  const nextTurn = (): void => {
    read = 0;
    if (socket.isPaused()) socket.resume();
  };
  socket.on('data', ({ length }: Buffer) => {
    if (read === 0) setImmediate(nextTurn);
    read += length;
    if (read >= READ_A_TURN_BYTES) socket.pause();
  });
}

async function watch(connection: NatsConnection, events: NatsConnectionEvents): Promise<string> {
  let reason: string | undefined;
  const watchStatus = async (): Promise<void> => {
    for await (const status of connection.status()) {
      switch (status.type) {
        case DebugEvents.StaleConnection:
          reason ??= 'the server does not answer';
          // The client tries to flush before it closes, and on a link that swallows everything waits for ever.
          await connection.close();
          break;
        case Events.Update:
          events.onServers(connection.info?.connect_urls ?? []);
          break;
        case Events.Error:
          if (status.permissionContext === undefined) {
            reason = JSON.stringify(status.data);
            events.onServerError(reason);
          } else events.onDenied(status.permissionContext.operation, status.permissionContext.subject);
          break;
        default:
      }
    }
  };
  void watchStatus();
  const error = await connection.closed();
  if (error !== undefined) return describeError(error);
  // The client reports a dead link before it closes, but by a slower way.
  await new Promise((resolve) => setImmediate(resolve));
  return reason ?? CLOSED;
}

async function credentialOptions(server: NatsServer, from: NatsCredentials): Promise<ConnectionOptions> {
  if (server.token !== undefined) return { token: server.token };
  if (server.user !== undefined) return { user: server.user, pass: server.pass ?? '' };
  const authenticators: Authenticator[] = [];
  if (from.credsFile !== undefined) authenticators.push(credsAuthenticator(await readFile(from.credsFile)));
  const seed = from.nkeySeed ?? (from.nkeySeedFile && (await readFile(from.nkeySeedFile, 'utf8')));
  if (seed !== undefined) authenticators.push(nkeyAuthenticator(Buffer.from(seed.trim())));
  return {
    ...(authenticators.length > 0 && { authenticator: authenticators }),
    ...(from.token !== undefined && { token: from.token }),
    ...(from.user !== undefined && { user: from.user, pass: from.pass ?? '' }),
  };
}

/**
 * Files are read here and not by the client: it would read them in the middle of the handshake, with no listener
 * for the errors of its socket.
 */
async function tlsOptions(server: NatsServer, files: NatsTlsFiles): Promise<ConnectionOptions> {
  const { caFile, certFile, keyFile } = files;
  if (!server.tls && caFile === undefined && certFile === undefined) return {};
  const name = server.certificateName;
  const identity = isIP(name) === 0 ? { servername: name, host: name } : { host: name };
  const tls = {
    ...identity,
    ...(caFile !== undefined && { ca: await readFile(caFile, 'utf8') }),
    ...(certFile !== undefined && { cert: await readFile(certFile, 'utf8') }),
    ...(keyFile !== undefined && { key: await readFile(keyFile, 'utf8') }),
  };
  return { tls };
}

/**
 * Resolves when the server has greeted. The client leaves a socket open when an attempt times out, so servers that
 * accept and then say nothing must not be tried with it again and again.
 */
export async function probe(server: NatsServer, lookUp: Lookup, timeoutMs: number): Promise<void> {
  await lookUp(server.host);
  await new Promise<void>((resolve, reject) => {
    const socket = createConnection(server.port, server.host);
    const end = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    const timer = setTimeout(() => end(new Error(NO_ANSWER)), timeoutMs);
    socket.once('data', () => end());
    socket.once('close', () => end(new Error(CLOSED)));
    socket.on('error', end);
  });
}

export const NO_ANSWER = 'no answer in time';
const CLOSED = 'the server closed the connection';

/** Nobody serves the subject of a request. */
export function isUnserved(error: unknown): boolean {
  return partsOf(error).code === '503';
}

export function isTimeout(error: unknown): boolean {
  const { message, code } = partsOf(error);
  return message === NO_ANSWER || code === 'TIMEOUT';
}

/** Says what went wrong in words fit for logs; no error of the client or of Node repeats credentials. */
export function describeError(error: unknown): string {
  if (isTimeout(error)) return NO_ANSWER;
  const { message, code, chainedError } = partsOf(error);
  const text = partsOf(chainedError).message ?? message ?? '';
  // So the client tells of a connection that ended before the server's greeting.
  if (text === 'node provided an undefined error!') return CLOSED;
  return text.replace(/^'|'$/g, '') || (code ?? 'unknown error');
}

interface ErrorParts {
  readonly message?: string;
  readonly code?: string;
  /** Where the client wraps an error of Node. */
  readonly chainedError?: unknown;
}

function partsOf(error: unknown): ErrorParts {
  return typeof error === 'object' && error !== null ? error : {};
}
