/**
 * Carries what replicas ask each other: `/v1/replica/status`, `/v1/replica/snapshot` and `/v1/replica/cache`. What is asked and answered is
 * `repair/protocol.ts`. Not for gateways.
 */
import type { Socket } from 'node:net';
import { Readable, pipeline } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { constants, createGzip } from 'node:zlib';
import { ProtocolFault, type Query, type StatusJson } from '../../repair/protocol';
import type { Answers } from '../answers';
import { acceptsGzip } from '../content-encoding';
import { ApiError } from '../errors';
import { onceOver } from '../once-over';
import { queryValue } from '../query-string';
import type { Router } from '../router';

/** Each throws a ProtocolFault, before it has begun to answer, for what it does not answer. */
export interface ReplicaDependencies {
  readonly status: (query: Query) => StatusJson;
  readonly snapshot: (query: Query) => Iterable<string>;
  readonly cache: (query: Query) => Iterable<string>;
}

/** Snapshots streamed at the same time. */
const MAX_SNAPSHOTS = 4;
/** And of prefix caches. */
const MAX_CACHES = 2;
const PIECE_LENGTH = 64 * 1024;
/** A reader that takes nothing for so long loses its place, and so does one that takes longer in all. */
const STALLED_MS = 10_000;
const MAX_SNAPSHOT_MS = 120_000;

export function addReplicaRoutes(routes: Router, answers: Answers, replica: ReplicaDependencies): void {
  routes.json('/v1/replica/status', {
    get: (req) => JSON.stringify(answerOf(() => replica.status(queryOf(req.url)))),
  });
  addStream(routes, answers, '/v1/replica/snapshot', MAX_SNAPSHOTS, (query) => replica.snapshot(query));
  addStream(routes, answers, '/v1/replica/cache', MAX_CACHES, (query) => replica.cache(query));
}

function addStream(
  routes: Router,
  answers: Answers,
  path: string,
  atOnce: number,
  linesOf: (query: Query) => Iterable<string>,
): void {
  let streaming = 0;
  routes.add(path, {
    get: (req, res) => {
      const lines = answerOf(() => linesOf(queryOf(req.url)));
      if (streaming >= atOnce) {
        throw new ApiError('unavailable', `already streaming ${atOnce} of these`, { 'Retry-After': '1' });
      }
      const gzip = acceptsGzip(req);
      answers.begin(req, res, 'application/x-ndjson', gzip ? { 'Content-Encoding': 'gzip' } : {});
      if (req.method === 'HEAD') {
        res.end();
        return;
      }
      streaming++;
      const bounds = new ReaderBounds(res.req.socket);
      const pieces = Readable.from(piecesOf(lines, bounds), { objectMode: false });
      let over = false;
      const done = (error?: Error | null): void => {
        if (over) return;
        over = true;
        streaming--;
        bounds.end();
        // A reader may leave whenever it likes; whatever else ends it is a defect of ours.
        if (error && pieces.errored) answers.error(req, res, error);
      };
      // The pipeline hears nothing of a response that never got its connection when that goes.
      onceOver(res, () => {
        done(pieces.errored);
        pieces.destroy();
      });
      if (gzip) pipeline(pieces, createGzip({ level: constants.Z_BEST_SPEED }), res, done);
      else pipeline(pieces, res, done);
    },
  });
}

/** Cuts the connection of a reader that is too slow: not the answer, which waits for its turn on it perhaps. */
class ReaderBounds {
  private readonly whole: NodeJS.Timeout;
  private stalled: NodeJS.Timeout;

  constructor(socket: Socket) {
    this.whole = setTimeout(() => socket.destroy(), MAX_SNAPSHOT_MS);
    this.stalled = setTimeout(() => socket.destroy(), STALLED_MS);
  }

  /** It has taken a piece. */
  taken(): void {
    this.stalled.refresh();
  }

  end(): void {
    clearTimeout(this.whole);
    clearTimeout(this.stalled);
  }
}

/** Lines in pieces of about 64 KiB, each made in a turn of its own: requests are answered in between. */
async function* piecesOf(lines: Iterable<string>, bounds: ReaderBounds): AsyncGenerator<string> {
  let piece = '';
  for (const line of lines) {
    piece += line + '\n';
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    bounds.taken();
    piece = '';
    await nextTurn();
  }
  yield piece;
}

function answerOf<T>(answer: () => T): T {
  try {
    return answer();
  } catch (error) {
    if (!(error instanceof ProtocolFault)) throw error;
    throw new ApiError(error.kind === 'invalid' ? 'invalidInput' : 'otherDeployment', error.message);
  }
}

function queryOf(url: string): Query {
  return (name) => queryValue(url, name);
}
