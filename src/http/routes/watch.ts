/**
 * The streams: `/v1/load/watch` for the rows of one cluster or several, `/v1/overview/watch` for all clusters and the replica.
 * Server-sent events on a connection of their own, which ends with the stream.
 */
import type { ServerResponse } from 'node:http';
import type { Watch, Watchers } from '../../watch/watchers';
import type { Sink } from '../../watch/watcher';
import type { Answers } from '../answers';
import type { ApiRequest } from '../api-request';
import { DtoCheck } from '../dto/dto-check';
import { OverviewQueryDto, WatchQueryDto } from '../dto/watch-query.dto';
import { ApiError } from '../errors';
import { onceOver } from '../once-over';
import type { Router } from '../router';

export const DEFAULT_INTERVAL_MS = 100;
export const DEFAULT_OVERVIEW_INTERVAL_MS = 1_000;

const STREAM_HEADERS = {
  'Cache-Control': 'no-store',
  Connection: 'close',
  // Tells nginx not to collect the stream before it passes it on.
  'X-Accel-Buffering': 'no',
};

/**
 * A reader that takes nothing for this long is cut off. Longer than for answers, because what is held for it does not
 * grow: at most the message that was under way.
 */
const STALLED_MS = 300_000;

const REFUSALS = {
  full: 'this replica has as many watchers as METADATA_CENTER_MAX_WATCHERS allows',
  stopped: 'this replica is shutting down',
};

export function addWatchRoutes(router: Router, answers: Answers, watchers: Watchers): void {
  const watchQuery = new DtoCheck(WatchQueryDto);
  const overviewQuery = new DtoCheck(OverviewQueryDto);

  const stream = (req: ApiRequest, res: ServerResponse, watch: (sink: Sink) => Watch): void => {
    const admission = watchers.admit();
    if (admission !== 'admitted')
      throw new ApiError('unavailable', REFUSALS[admission], { 'Retry-After': '1' });
    answers.begin(req, res, 'text/event-stream', STREAM_HEADERS);
    if (req.method === 'HEAD') {
      res.end();
      return;
    }
    req.socket.setTimeout(STALLED_MS);
    const { drained, closed } = watch({
      write: (bytes) => res.write(bytes),
      end: (cut) => (cut ? res.destroy() : res.end()),
    });
    res.on('drain', drained);
    onceOver(res, closed);
    // A write that crosses the end of the connection.
    res.on('error', closed);
  };

  router.add('/v1/load/watch', {
    get: (req, res) => {
      const { cluster, interval_ms } = watchQuery.query(req.url);
      const intervalMs = interval_ms ?? DEFAULT_INTERVAL_MS;
      const [first] = cluster;
      stream(req, res, (sink) =>
        cluster.length === 1
          ? watchers.watchCluster(first!, intervalMs, sink)
          : watchers.watchClusters(new Set(cluster), intervalMs, sink),
      );
    },
  });
  router.add('/v1/overview/watch', {
    get: (req, res) => {
      const { interval_ms } = overviewQuery.query(req.url);
      stream(req, res, (sink) => watchers.watchOverview(interval_ms ?? DEFAULT_OVERVIEW_INTERVAL_MS, sink));
    },
  });
}
