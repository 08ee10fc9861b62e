/**
 * Asks other replicas, over HTTP: for their status, and for a snapshot line by line. Everything is bounded: sizes, the
 * time to an answer, the pace of a snapshot, and its whole time.
 */
import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ContextOptions } from '../core/causal-context';
import type { SnapshotSelection } from '../core/snapshot';
import type { PeerTransport } from './peer-transport';
import {
  cachePath,
  ProtocolFault,
  readStatus,
  snapshotPath,
  statusPath,
  type Identity,
  type PeerStatus,
} from './protocol';
import type { PeerRequests } from './runner';

export interface PeerClientOptions {
  readonly port: number;
  /** Bounds a status request as a whole, and the wait for a snapshot's first byte. */
  readonly timeoutMs: number;
  readonly context: ContextOptions;
  readonly self: Identity;
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
/** The first line of a snapshot holds the whole context; all others are short. */
const MAX_LINE_LENGTH = MAX_STATUS_BYTES;

export class PeerClient implements PeerRequests {
  constructor(
    private readonly options: PeerClientOptions,
    private readonly transport: PeerTransport,
    /** Shown one after the other to a peer that refuses; none: no header is sent. */
    private readonly tokens: () => readonly string[],
    private readonly monotonicMs: () => number,
  ) {}

  async status(address: string, digestsAtUs: number | undefined): Promise<PeerStatus> {
    const { self, context, timeoutMs } = this.options;
    const digestBytes =
      digestsAtUs !== undefined ? MAX_DIGEST_BYTES * Math.ceil(context.forgetAfterUs / 1e6) : 0;
    const maxBytes = MAX_STATUS_BYTES + digestBytes;
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await this.get(address, statusPath(self, digestsAtUs), signal);
    let text = '';
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk;
      if (text.length > maxBytes) throw new Error('the status is too large');
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
    await this.lines(address, cachePath(this.options.self), onLine);
  }

  private async lines(address: string, path: string, onLine: (line: string) => void): Promise<void> {
    const whole = AbortSignal.timeout(SNAPSHOT_MS);
    const response = await this.get(address, path, whole, this.options.timeoutMs);
    let bytes = 0;
    const started = this.monotonicMs();
    const pace = setInterval(() => {
      const elapsedMs = this.monotonicMs() - started - SNAPSHOT_HEAD_START_MS;
      if (elapsedMs * SNAPSHOT_PACE_BYTES_PER_MS > bytes) {
        response.destroy(new Error('the snapshot comes too slowly'));
      }
    }, SNAPSHOT_HEAD_START_MS / 4);
    response.once('close', () => clearInterval(pace));
    let rest = '';
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      bytes += chunk.length;
      if (bytes > MAX_SNAPSHOT_BYTES) throw new Error('the snapshot is too large');
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      if (rest.length > MAX_LINE_LENGTH) throw new Error('a line of the snapshot is too long');
      for (const line of lines) onLine(line);
      // One piece a turn, so that requests are answered in between.
      await nextTurn();
    }
    if (rest !== '') throw new Error('the snapshot ends within a line');
  }

  private async get(
    address: string,
    path: string,
    signal: AbortSignal,
    answerWithinMs?: number,
  ): Promise<IncomingMessage> {
    const [first, ...others] = this.tokens();
    let response = await this.attempt(address, path, first, signal, answerWithinMs);
    // While tokens are rotated the peer may know only the ones that follow.
    for (const token of others) {
      if (response.statusCode !== 401) break;
      response.resume();
      response = await this.attempt(address, path, token, signal, answerWithinMs);
    }
    if (response.statusCode === 200) return response;
    response.destroy();
    if (response.statusCode === 409) {
      throw new ProtocolFault('other-deployment', 'it belongs to another deployment');
    }
    throw new Error(
      response.statusCode === 401
        ? 'the peer accepts none of the tokens of this replica'
        : `the peer answered ${response.statusCode}`,
    );
  }

  private attempt(
    address: string,
    path: string,
    token: string | undefined,
    signal: AbortSignal,
    answerWithinMs?: number,
  ): Promise<IncomingMessage> {
    const options = {
      host: address,
      port: this.options.port,
      path,
      signal,
      ...(token !== undefined && { headers: { Authorization: `Bearer ${token}` } }),
    };
    return new Promise((resolve, reject) => {
      const outgoing = this.transport.request(options, (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      const timer =
        answerWithinMs && setTimeout(() => outgoing.destroy(new Error('no answer in time')), answerWithinMs);
      outgoing.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      outgoing.end();
    });
  }
}
