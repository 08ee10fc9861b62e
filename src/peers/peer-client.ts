/**
 * Asks other replicas, over HTTP: for their status, and for a snapshot line by line. Everything is bounded: sizes, the
 * time to an answer, the pace of a snapshot, and its whole time.
 */
import type { Agent, IncomingMessage, RequestOptions } from 'node:http';
import { request } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ContextOptions } from '../core/causal-context';
import type { SnapshotSelection } from '../core/snapshot';
import type { PeerStatus } from '../replication/anti-entropy';
import type { DigestWindow } from '../replication/state-comparison';
import type { PeerRequests } from './peer-exchange';
import { writeRanges } from './second-ranges';
import { readStatus, windowQuery } from './status';

export interface PeerClientOptions {
  readonly port: number;
  /** Bounds a status request as a whole, and the wait for a snapshot's first byte. */
  readonly timeoutMs: number;
  readonly context: ContextOptions;
}

/** A snapshot that comes slower than this after its first seconds is given up: another peer may be faster. */
const SNAPSHOT_PACE_BYTES_PER_MS = 64;
const SNAPSHOT_HEAD_START_MS = 2_000;
const SNAPSHOT_MS = 120_000;
const LARGEST_STATUS_BYTES = 32 * 1024 * 1024;
const LARGEST_SNAPSHOT_BYTES = 4 * 1024 * 1024 * 1024;
/** The first line of a snapshot holds the whole context; all others are short. */
const LONGEST_LINE = 16 * 1024 * 1024;

export class PeerFault extends Error {}

export class PeerClient implements PeerRequests {
  constructor(
    private readonly options: PeerClientOptions,
    private readonly agent: Agent,
    private readonly monotonicMs: () => number,
  ) {}

  async status(address: string, window?: DigestWindow, nudge?: string): Promise<PeerStatus> {
    const query = [window && windowQuery(window), nudge && `nudge=${nudge}`].filter(Boolean).join('&');
    const signal = AbortSignal.timeout(this.options.timeoutMs);
    const response = await this.get(address, `/v1/replica/status?${query}`, signal);
    let text = '';
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk;
      if (text.length > LARGEST_STATUS_BYTES) throw new PeerFault('the status is too large');
    }
    return readStatus((JSON.parse(text) as { data?: unknown }).data, this.options.context);
  }

  async snapshot(
    address: string,
    selection: SnapshotSelection | undefined,
    onLine: (line: string) => void,
  ): Promise<void> {
    const query = selection
      ? `?adds=${writeRanges(selection.adds)}&deletions=${writeRanges(selection.deletions)}&since=${selection.since.join()}`
      : '';
    const whole = AbortSignal.timeout(SNAPSHOT_MS);
    const response = await this.get(address, `/v1/replica/snapshot${query}`, whole, this.options.timeoutMs);
    const started = this.monotonicMs();
    const pace = setInterval(() => {
      const elapsedMs = this.monotonicMs() - started - SNAPSHOT_HEAD_START_MS;
      if (elapsedMs * SNAPSHOT_PACE_BYTES_PER_MS > bytes) {
        response.destroy(new PeerFault('the snapshot comes too slowly'));
      }
    }, SNAPSHOT_HEAD_START_MS / 4);
    response.once('close', () => clearInterval(pace));
    let bytes = 0;
    let rest = '';
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      bytes += chunk.length;
      if (bytes > LARGEST_SNAPSHOT_BYTES) throw new PeerFault('the snapshot is too large');
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      if (rest.length > LONGEST_LINE) throw new PeerFault('a line of the snapshot is too long');
      for (const line of lines) onLine(line);
      // One piece a turn, so that requests are answered in between.
      await nextTurn();
    }
    if (rest !== '') throw new PeerFault('the snapshot ends within a line');
  }

  private get(
    address: string,
    path: string,
    signal: AbortSignal,
    answerWithinMs?: number,
  ): Promise<IncomingMessage> {
    const options: RequestOptions = {
      host: address,
      port: this.options.port,
      path,
      agent: this.agent,
      signal,
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(options, (response) => {
        clearTimeout(timer);
        if (response.statusCode === 200) {
          resolve(response);
          return;
        }
        response.destroy();
        reject(new PeerFault(`the peer answered ${response.statusCode}`));
      });
      const timer =
        answerWithinMs &&
        setTimeout(() => outgoing.destroy(new PeerFault('no answer in time')), answerWithinMs);
      outgoing.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      outgoing.end();
    });
  }
}
