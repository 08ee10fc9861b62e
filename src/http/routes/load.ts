/**
 * What gateways report and ask: `/v1/load/stats`, `/v1/load/prompt`, `/v1/load/batch`, `/v1/load/rows` and `/v1/clusters`.
 */
import type { HttpDependencies } from '../dependencies';
import { DtoCheck } from '../dto/dto-check';
import { LoadQueryDto, LoadRowsQueryDto } from '../dto/load-query.dto';
import { jsonBody } from '../json-body';
import { loadBatch } from '../load-batch';
import type { LoadReports } from '../load-reports';
import { MAX_LARGE_BODY_BYTES } from '../request-body';
import type { Router } from '../router';

const NO_DATA = 'null';

export function addLoadRoutes(
  router: Router,
  engines: HttpDependencies['engines'],
  reports: LoadReports,
): void {
  const query = new DtoCheck(LoadQueryDto);
  const rowsQuery = new DtoCheck(LoadRowsQueryDto);
  const batch = loadBatch(reports);

  const alone =
    (op: keyof typeof reports) =>
    (body: Buffer): string => {
      reports[op](jsonBody(body));
      return NO_DATA;
    };

  router.json('/v1/load/stats', {
    get: (req) => engines.rowsJson(query.query(req.url).cluster),
    post: alone('add'),
    put: alone('refresh'),
    delete: alone('delete'),
  });
  router.json('/v1/load/rows', {
    get: (req) => {
      const rowsOf = (cluster: string): string =>
        `{"cluster":${JSON.stringify(cluster)},"rows":${engines.rowsJson(cluster)}}`;
      return `[${Array.from(new Set(rowsQuery.query(req.url).cluster), rowsOf).join()}]`;
    },
  });
  router.json('/v1/clusters', { get: () => engines.clustersJson() });
  router.json('/v1/load/prompt', { delete: alone('prompt-delete') });
  router.json(
    '/v1/load/batch',
    { post: (body) => JSON.stringify(batch(jsonBody(body))) },
    MAX_LARGE_BODY_BYTES,
  );
}
