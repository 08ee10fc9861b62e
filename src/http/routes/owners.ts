/** `/v1/load/owner` and `/v1/load/owners`: which gateways' processes live, so that the requests of those that don't stop counting. */
import type { OwnerResult } from '../../replication/replicator';
import type { HttpDependencies } from '../dependencies';
import { DtoCheck } from '../dto/dto-check';
import { DEFAULT_OWNER_TTL_MS, OwnerGoneDto, OwnerRenewDto, OwnersQueryDto } from '../dto/owner.dto';
import { jsonBody } from '../json-body';
import type { Router } from '../router';
import { limitReached } from './load';

export function addOwnerRoutes(
  router: Router,
  { replicator, owners }: Pick<HttpDependencies, 'replicator' | 'owners'>,
): void {
  const renewBody = new DtoCheck(OwnerRenewDto);
  const goneBody = new DtoCheck(OwnerGoneDto);
  const query = new DtoCheck(OwnersQueryDto);

  const answer = (result: OwnerResult): string => {
    if (result === 'accepted') return 'null';
    throw limitReached('owners', 'METADATA_CENTER_MAX_OWNERS');
  };

  router.json('/v1/load/owner', {
    put: (bytes) => {
      const { owner, ttl_ms } = renewBody.object(jsonBody(bytes));
      return answer(replicator.renewLease(owner, ttl_ms ?? DEFAULT_OWNER_TTL_MS));
    },
    delete: (bytes) => answer(replicator.endOwner(goneBody.object(jsonBody(bytes)).owner)),
  });
  router.json('/v1/load/owners', {
    get: (req) => owners.toJson(query.query(req.url).cluster ?? undefined),
  });
}
