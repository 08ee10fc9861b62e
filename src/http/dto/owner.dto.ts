/** The bodies of `PUT` and `DELETE /v1/load/owner`, and the query of `GET /v1/load/owners`. */
import { IsOptional } from 'class-validator';
import { MAX_OWNER_TTL_MS, MIN_OWNER_TTL_MS } from '../../core/event';
import { IsIntegerFrom, IsName, IsOwner } from './rules';

export const DEFAULT_OWNER_TTL_MS = 15_000;

export class OwnerRenewDto {
  @IsOwner()
  readonly owner!: string;

  @IsOptional()
  @IsIntegerFrom(MIN_OWNER_TTL_MS, MAX_OWNER_TTL_MS)
  readonly ttl_ms?: number | null;
}

export class OwnerGoneDto {
  @IsOwner()
  readonly owner!: string;
}

export class OwnersQueryDto {
  @IsOptional()
  @IsName()
  readonly cluster?: string | null;
}
