/**
 * Carries what replicas ask each other: `/v1/replica/status`, `/v1/replica/snapshot` and `/v1/replica/cache`. What is asked and answered is
 * `repair/protocol.ts`. Not for gateways.
 */
import { Readable, pipeline } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { constants, createGzip } from 'node:zlib';
import type { Answering } from '../../repair/answering';
import { ProtocolFault, type Query } from '../../repair/protocol';
import type { Answers } from '../answers';
import { acceptsGzip } from '../content-encoding';
import { ApiError } from '../errors';
import { onceOver } from '../once-over';
import { queryValue } from '../query-string';
import type { Router } from '../router';

export type ReplicaDependencies = Pick<Answering, 'status' | 'snapshot' | 'cache'>;

/** Snapshots streamed at the same time. */
const MAX_SNAPSHOTS = 4;
/** And of prefix caches. */
const MAX_CACHES = 2;
const PIECE_LENGTH = 64 * 1024;
/** A reader that takes nothing for so long loses its place, and so does one that takes longer in all. */
const STALLED_MS = 10_000;
const MAX_SNAPSHOT_MS = 120_000;

export function addReplicaRoutes(routes: Router, answers: Answers, replica: ReplicaDependencies): void {
  const addStream = (path: string, atOnce: number, linesOf: (query: Query) => Iterable<string>): void => {
    let streaming = 0;
    routes.add(path, {
      get: (req, res) => {
        const lines = answerOf(req.url, linesOf);
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
        // Not the answer is cut, but its connection: it waits for its turn on it perhaps.
        const cut = (): void => void res.req.socket.destroy();
        const [whole, stalled] = [setTimeout(cut, MAX_SNAPSHOT_MS), setTimeout(cut, STALLED_MS)];
        /** About 64 KiB each, made in a turn of its own: requests are answered in between. */
        async function* pieces(): AsyncGenerator<string> {
          let piece = '';
          try {
            for (const line of lines) {
              piece += line + '\n';
              if (piece.length < PIECE_LENGTH) continue;
              yield piece;
              stalled.refresh();
              piece = '';
              await nextTurn();
            }
            yield piece;
          } catch (defect) {
            answers.error(req, res, defect);
          }
        }
        const plain = Readable.from(pieces(), { objectMode: false });
        // The pipeline hears nothing of a response that never got its connection when that goes.
        onceOver(res, () => {
          streaming--;
          clearTimeout(whole);
          clearTimeout(stalled);
          plain.destroy();
        });
        const packed = gzip ? [createGzip({ level: constants.Z_BEST_SPEED })] : [];
        // A reader may leave whenever it likes.
        pipeline([plain, ...packed, res], () => undefined);
      },
    });
  };
  addStream('/v1/replica/snapshot', MAX_SNAPSHOTS, (query) => replica.snapshot(query));
  addStream('/v1/replica/cache', MAX_CACHES, (query) => replica.cache(query));
  routes.json('/v1/replica/status', {
    get: (req) => JSON.stringify(answerOf(req.url, (query) => replica.status(query))),
  });
}

function answerOf<T>(url: string, answer: (query: Query) => T): T {
  try {
    return answer((name) => queryValue(url, name));
  } catch (error) {
    if (!(error instanceof ProtocolFault)) throw error;
    throw new ApiError(error.kind === 'invalid' ? 'invalidInput' : 'otherDeployment', error.message);
  }
}
