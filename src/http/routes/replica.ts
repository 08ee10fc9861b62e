/**
 * What replicas ask each other: `/v1/replica/status` and `/v1/replica/snapshot`. Not for gateways.
 */
import { Readable, pipeline } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { constants, createGzip } from 'node:zlib';
import type { SnapshotSelection } from '../../core/snapshot';
import { readRanges } from '../../peers/second-ranges';
import type { StatusJson } from '../../peers/status';
import type { DigestWindow } from '../../replication/state-comparison';
import type { Answers } from '../answers';
import { ApiError } from '../errors';
import { onceOver } from '../once-over';
import { queryValue } from '../query-string';
import type { Router } from '../router';

export interface ReplicaDependencies {
  readonly status: (window: DigestWindow | undefined) => StatusJson;
  readonly snapshot: (selection: SnapshotSelection | undefined) => Iterable<string>;
  /** The replica of that id found that its state differs from this one's. */
  readonly nudged: (replica: string) => void;
}

/** Snapshots streamed at the same time. */
const MAX_SNAPSHOTS = 4;
const PIECE_LENGTH = 64 * 1024;

export function addReplicaRoutes(routes: Router, answers: Answers, replica: ReplicaDependencies): void {
  let streaming = 0;
  routes.json('/v1/replica/status', {
    get: (req) => {
      const nudge = queryValue(req.url, 'nudge');
      if (nudge !== undefined) replica.nudged(nudge);
      return JSON.stringify(replica.status(windowOf(req.url)));
    },
  });
  routes.add('/v1/replica/snapshot', {
    get: (req, res) => {
      const selection = selectionOf(req.url);
      if (streaming >= MAX_SNAPSHOTS) {
        throw new ApiError('unavailable', `already streaming ${MAX_SNAPSHOTS} snapshots`, {
          'Retry-After': '1',
        });
      }
      const gzip = /\bgzip\b/.test(req.headers['accept-encoding'] ?? '');
      answers.begin(req, res, 'application/x-ndjson', gzip ? { 'Content-Encoding': 'gzip' } : {});
      if (req.method === 'HEAD') {
        res.end();
        return;
      }
      streaming++;
      const pieces = Readable.from(piecesOf(replica.snapshot(selection)), { objectMode: false });
      onceOver(res, () => {
        streaming--;
        pieces.destroy();
      });
      const ended = (): void => undefined;
      if (gzip) pipeline(pieces, createGzip({ level: constants.Z_BEST_SPEED }), res, ended);
      else pipeline(pieces, res, ended);
    },
  });
}

/** Lines in pieces of about 64 KiB, each made in a turn of its own: requests are answered in between. */
async function* piecesOf(lines: Iterable<string>): AsyncGenerator<string> {
  let piece = '';
  for (const line of lines) {
    piece += line + '\n';
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = '';
    await nextTurn();
  }
  yield piece;
}

function windowOf(url: string): DigestWindow | undefined {
  const adds = queryValue(url, 'adds_since');
  const deletions = queryValue(url, 'deletions_since');
  if (adds === undefined && deletions === undefined) return undefined;
  const window = { addsSince: Number(adds ?? 0), deletionsSince: Number(deletions ?? 0) };
  if (!Number.isSafeInteger(window.addsSince) || !Number.isSafeInteger(window.deletionsSince)) {
    throw new ApiError('invalidInput', 'adds_since and deletions_since must be seconds since 1970');
  }
  return window;
}

function selectionOf(url: string): SnapshotSelection | undefined {
  const adds = queryValue(url, 'adds');
  const deletions = queryValue(url, 'deletions');
  if (adds === undefined && deletions === undefined) return undefined;
  const selection = { adds: readRanges(adds ?? ''), deletions: readRanges(deletions ?? '') };
  if (!selection.adds || !selection.deletions) {
    throw new ApiError('invalidInput', 'adds and deletions must be ranges of seconds, such as 100-105,110');
  }
  const since = /^(\d{1,15}),(\d{1,15})$/.exec(queryValue(url, 'since') ?? '0,0');
  if (!since) throw new ApiError('invalidInput', 'since must be two counts, such as 12,3');
  return {
    adds: selection.adds,
    deletions: selection.deletions,
    since: [Number(since[1]), Number(since[2])],
  };
}
