/**
 * Asks other replicas, over HTTP or TLS: for their status, and for a snapshot line by line. Everything is bounded: sizes, the
 * time to an answer, the pace of a snapshot, and its whole time.
 */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ContextOptions } from '../core/causal-context';
import type { SnapshotSelection } from '../core/snapshot';
import {
  pathOf,
  ProtocolFault,
  readStatus,
  snapshotPath,
  statusPath,
  type Identity,
  type PeerStatus,
} from './protocol';
import type { PeerRequests } from './runner';

export interface PeerTls {
  /** The one name that the certificates of all replicas must be for. */
  readonly serverName: string;
  /** PEM; undefined: the authorities that Node.js trusts. */
  readonly ca: () => Buffer | undefined;
}

export interface PeerClientOptions {
  readonly port: number;
  /** Bounds a status request as a whole, and the wait for a snapshot's first byte. */
  readonly requestTimeoutMs: number;
  readonly context: ContextOptions;
  readonly self: Identity;
  /** Undefined: plain HTTP. */
  readonly tls?: PeerTls | undefined;
  /** Shown one after the other to a peer that refuses; none: no header is sent. */
  readonly tokens: () => readonly string[];
}

/** A snapshot that comes slower than this after its first seconds is given up: another peer may be faster. */
const SNAPSHOT_PACE_BYTES_PER_MS = 64;
const SNAPSHOT_HEAD_START_MS = 2_000;
const SNAPSHOT_MS = 120_000;
/** More than a context can take, within its bounds. */
const MAX_STATUS_BYTES = 2 * 1024 * 1024;
/** Of one second, with room to spare. A comparison covers E of adds and E + R of deletions, less than `forgetAfterUs`. */
const MAX_DIGEST_BYTES = 64;
const MAX_SNAPSHOT_BYTES = 4 * 1024 * 1024 * 1024;
const AGENT_OPTIONS = { keepAlive: true, maxSockets: 4 } as const;

/** Throws, in words for the operator, when the file cannot be used. */
export function checkedAuthorities(pem: Buffer): Buffer {
  try {
    new X509Certificate(pem);
    return pem;
  } catch {
    throw new Error('holds no PEM certificate');
  }
}

export class PeerClient implements PeerRequests {
  private readonly agent: Agent;

  constructor(private readonly options: PeerClientOptions) {
    this.agent = options.tls
      ? new TlsAgent({ ...AGENT_OPTIONS, minVersion: 'TLSv1.2' })
      : new Agent(AGENT_OPTIONS);
  }

  stop(): void {
    this.agent.destroy();
  }

  async status(address: string, digestsAtUs: number | undefined): Promise<PeerStatus> {
    const { self, context, requestTimeoutMs } = this.options;
    const seconds = digestsAtUs === undefined ? 0 : Math.ceil(context.forgetAfterUs / 1e6);
    const most = MAX_STATUS_BYTES + MAX_DIGEST_BYTES * seconds;
    let text = '';
    for await (const piece of await this.get(address, statusPath(self, digestsAtUs), requestTimeoutMs)) {
      text += piece as string;
      if (text.length > most) throw new Error('the status is too large');
    }
    return readStatus((JSON.parse(text) as { data?: unknown }).data, self, context);
  }

  async snapshot(
    address: string,
    selection: SnapshotSelection | undefined,
    onLine: (line: string) => void,
  ): Promise<void> {
    await this.lines(address, snapshotPath(this.options.self, selection), onLine);
  }

  /** The prefix cache of a peer, line by line, under the bounds of a snapshot. */
  async cache(address: string, onLine: (line: string) => void): Promise<void> {
    await this.lines(address, pathOf('cache', this.options.self), onLine);
  }

  private async lines(address: string, path: string, onLine: (line: string) => void): Promise<void> {
    const response = await this.get(address, path, SNAPSHOT_MS);
    let bytes = 0;
    const started = performance.now();
    const pace = setInterval(() => {
      const elapsedMs = performance.now() - started - SNAPSHOT_HEAD_START_MS;
      if (elapsedMs * SNAPSHOT_PACE_BYTES_PER_MS > bytes) {
        response.destroy(new Error('the snapshot comes too slowly'));
      }
    }, SNAPSHOT_HEAD_START_MS / 4);
    response.once('close', () => clearInterval(pace));
    let rest = '';
    for await (const piece of response) {
      bytes += (piece as string).length;
      if (bytes > MAX_SNAPSHOT_BYTES) throw new Error('the snapshot is too large');
      const lines = (rest + (piece as string)).split('\n');
      rest = lines.pop()!;
      // The first line holds the whole context; all others are short.
      if (rest.length > MAX_STATUS_BYTES) throw new Error('a line of the snapshot is too long');
      for (const line of lines) onLine(line);
      // One piece a turn, so that requests are answered in between.
      await nextTurn();
    }
    if (rest !== '') throw new Error('the snapshot ends within a line');
  }

  /** An answer of text, which must begin in time and be over within `withinMs`. */
  private async get(address: string, path: string, withinMs: number): Promise<IncomingMessage> {
    const { port, requestTimeoutMs, tls, tokens } = this.options;
    const signal = AbortSignal.timeout(withinMs);
    // Dialled by address, so that without a name Node.js would expect a certificate for the address.
    const secure = tls && { servername: tls.serverName, ca: tls.ca() };
    const shown = tokens().map((token) => ({ Authorization: `Bearer ${token}` }));
    let response!: IncomingMessage;
    // While tokens are rotated the peer may know only the ones that follow.
    for (const headers of shown.length > 0 ? shown : [{}]) {
      const options = { host: address, port, path, signal, headers, agent: this.agent, ...secure };
      const outgoing = (tls ? tlsRequest : request)(options).end();
      // What comes after the answer has begun is seen by who reads it.
      outgoing.on('error', () => undefined);
      const timer = setTimeout(() => outgoing.destroy(new Error('no answer in time')), requestTimeoutMs);
      const answer = once(outgoing, 'response').finally(() => clearTimeout(timer));
      [response] = (await answer) as [IncomingMessage];
      if (response.statusCode !== 401) break;
      // The connection stays for the next token.
      response.resume();
    }
    const status = response.statusCode;
    if (status === 200) return response.setEncoding('utf8');
    response.destroy();
    if (status === 409) throw new ProtocolFault('other-deployment', 'it belongs to another deployment');
    const refused = status === 401;
    throw new Error(
      refused ? 'the peer accepts none of the tokens of this replica' : `the peer answered ${status}`,
    );
  }
}
