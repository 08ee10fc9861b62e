/** Where prompts' prefixes are cached: `/v1/cache/query`, `/v1/cache/save` and `/v1/cache`. */
import type { CacheOutcome } from '../../cache/cache-index';
import type { PrefixCache } from '../../cache/prefix-cache';
import { CacheClearDto, CacheQueryDto, CacheSaveDto, DEFAULT_TOPK } from '../dto/cache.dto';
import { DtoCheck } from '../dto/dto-check';
import { HashedBody } from '../dto/hashed-body';
import { ApiError } from '../errors';
import { jsonBody } from '../json-body';
import { MAX_LARGE_BODY_BYTES } from '../request-body';
import type { Router } from '../router';

const NO_DATA = 'null';

/** `cache` is undefined where it is switched off: nothing is held, and nobody is told so. */
export function addCacheRoutes(
  router: Router,
  cache: Pick<PrefixCache, 'locations' | 'save' | 'clear'> | undefined,
): void {
  const queryBody = new HashedBody(CacheQueryDto);
  const saveBody = new HashedBody(CacheSaveDto);
  const clearBody = new DtoCheck(CacheClearDto);

  const query = (bytes: Buffer): string => {
    const { dto, hashes } = queryBody.read(bytes);
    const locations = cache?.locations(dto.cluster, hashes, dto.topk || DEFAULT_TOPK) ?? [];
    return JSON.stringify({ locations });
  };
  const save = (bytes: Buffer): string => {
    const { dto, hashes } = saveBody.read(bytes);
    return answer(cache?.save(dto.cluster, dto.ip, hashes));
  };
  const clear = (bytes: Buffer): string => {
    const { cluster, ip } = clearBody.object(jsonBody(bytes));
    return answer(cache?.clear(cluster ?? undefined, ip));
  };

  router.json('/v1/cache/query', { post: query }, MAX_LARGE_BODY_BYTES);
  router.json('/v1/cache/save', { post: save }, MAX_LARGE_BODY_BYTES);
  router.json('/v1/cache', { delete: clear }, MAX_LARGE_BODY_BYTES);
}

/** What is stamped with this replica's own time is neither old nor ahead. */
function answer(outcome: CacheOutcome | undefined): string {
  if (outcome === 'full')
    throw new ApiError('unavailable', 'the prefix cache holds as many engines as it may');
  return NO_DATA;
}
