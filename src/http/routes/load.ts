/** What gateways report and ask: `/v1/load/stats`, `/v1/load/prompt` and `/v1/clusters`. */
import type {
  AddReport,
  AddResult,
  DeleteResult,
  RefreshReport,
  RefreshResult,
} from '../../replication/replicator';
import type { HttpDependencies } from '../dependencies';
import { DtoCheck } from '../dto/dto-check';
import { LoadAddDto } from '../dto/load-add.dto';
import { LoadDeleteDto } from '../dto/load-delete.dto';
import { LoadQueryDto } from '../dto/load-query.dto';
import { LoadRefreshDto } from '../dto/load-refresh.dto';
import { ApiError } from '../errors';
import { jsonBody } from '../json-body';
import type { Router } from '../router';

const NO_DATA = 'null';

type Dependencies = Pick<HttpDependencies, 'replicator' | 'engines' | 'replayPolicy'>;

export function addLoadRoutes(router: Router, { replicator, engines, replayPolicy }: Dependencies): void {
  const addBody = new DtoCheck(LoadAddDto, ['owner']);
  const refreshBody = new DtoCheck(LoadRefreshDto, ['cluster', 'ip', 'owner']);
  const deleteBody = new DtoCheck(LoadDeleteDto);
  const query = new DtoCheck(LoadQueryDto);

  const readAdd = (bytes: Buffer): AddReport => {
    const { cluster, request_id, ip, prompt_length, timestamp, owner } = addBody.object(jsonBody(bytes));
    return {
      requestId: request_id,
      cluster,
      ip,
      // `|| 0` also turns the -0 that JSON can express into 0.
      promptLength: prompt_length || 0,
      timestampNs: timestamp ?? undefined,
      owner: owner ?? undefined,
    };
  };
  const readRefresh = (bytes: Buffer): RefreshReport => {
    const { cluster, request_id, ip, prompt_length, timestamp, owner } = refreshBody.object(jsonBody(bytes));
    return {
      requestId: request_id,
      cluster: cluster ?? undefined,
      ip: ip ?? undefined,
      promptLength: prompt_length || 0,
      timestampNs: timestamp ?? undefined,
      owner: owner ?? undefined,
    };
  };
  const readRequestId = (bytes: Buffer): string => deleteBody.object(jsonBody(bytes)).request_id;

  const answerAdd = (result: AddResult): string => {
    if (result === 'accepted' || result === 'resend') return NO_DATA;
    const isCopy = result === 'duplicate' || result === 'moved';
    if (isCopy && replayPolicy === 'accept') return NO_DATA;
    throw addRefused(result);
  };
  const answerRefresh = (result: RefreshResult): string => {
    switch (result) {
      case 'accepted':
      case 'fresh':
        return NO_DATA;
      case 'already-deleted':
        return answerDeleted();
      case 'unknown':
        throw new ApiError(
          'requestNotFound',
          'request_id is not in flight: a refresh that names cluster and ip is taken up',
        );
      default:
        throw addRefused(result);
    }
  };
  const answerDeleted = (): string => {
    if (replayPolicy === 'accept') return NO_DATA;
    throw new ApiError('alreadyDeleted', 'request_id was already deleted');
  };
  const answerDelete = (result: DeleteResult): string => {
    switch (result) {
      case 'accepted':
        return NO_DATA;
      case 'already-deleted':
        return answerDeleted();
      case 'too-many-finished':
        throw limitReached('finished requests', 'METADATA_CENTER_MAX_IN_FLIGHT');
    }
  };

  router.json('/v1/load/stats', {
    get: (req) => engines.rowsJson(query.query(req.url).cluster),
    post: (body) => answerAdd(replicator.add(readAdd(body))),
    put: (body) => answerRefresh(replicator.refresh(readRefresh(body))),
    delete: (body) => answerDelete(replicator.delete(readRequestId(body))),
  });
  router.json('/v1/clusters', { get: () => engines.clustersJson() });
  router.json('/v1/load/prompt', {
    delete: (body) => answerDelete(replicator.promptDelete(readRequestId(body))),
  });
}

/** Why an add, or a select that would book one, was refused. */
export function addRefused(result: Exclude<AddResult, 'accepted' | 'resend'>): ApiError {
  switch (result) {
    case 'duplicate':
      return new ApiError('duplicate', 'request_id is in flight or was finished a short time ago');
    case 'moved':
      return new ApiError(
        'duplicate',
        'request_id is in flight at another engine or cluster: each attempt needs an id of its own',
      );
    case 'too-many-in-flight':
      return limitReached('in-flight requests', 'METADATA_CENTER_MAX_IN_FLIGHT');
    case 'too-many-engines':
      return limitReached('engines', 'METADATA_CENTER_MAX_ENGINES');
    case 'too-many-owners':
      return limitReached('owners', 'METADATA_CENTER_MAX_OWNERS');
    case 'too-many-finished':
      return limitReached('finished requests', 'METADATA_CENTER_MAX_IN_FLIGHT');
  }
}

export function limitReached(what: string, variable: string): ApiError {
  return new ApiError('unavailable', `this replica holds as many ${what} as ${variable} allows`);
}
