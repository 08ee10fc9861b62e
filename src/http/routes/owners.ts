/** `/v1/load/owner` and `/v1/load/owners`: which gateways' processes live, so that the requests of those that don't stop counting. */
import type { HttpDependencies } from '../dependencies';
import { DtoCheck } from '../dto/dto-check';
import { OwnerGoneDto, OwnersQueryDto } from '../dto/owner.dto';
import { jsonBody } from '../json-body';
import type { Router } from '../router';
import { type LoadReports, takeOwner } from '../load-reports';

export function addOwnerRoutes(
  router: Router,
  { replicator, owners }: Pick<HttpDependencies, 'replicator' | 'owners'>,
  reports: LoadReports,
): void {
  const goneBody = new DtoCheck(OwnerGoneDto);
  const query = new DtoCheck(OwnersQueryDto);

  router.json('/v1/load/owner', {
    put: (bytes) => {
      reports.owner(jsonBody(bytes));
      return 'null';
    },
    delete: (bytes) => {
      takeOwner(replicator.endOwner(goneBody.object(jsonBody(bytes)).owner));
      return 'null';
    },
  });
  router.json('/v1/load/owners', {
    get: (req) => owners.toJson(query.query(req.url).cluster ?? undefined),
  });
}
