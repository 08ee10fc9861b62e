/**
 * What gateways report, each by its name in a batch: the one way of a report from its JSON into the view, whether it comes
 * alone or with others (I18). A report that is refused throws an `ApiError` and has changed nothing.
 */
import type { AddResult, DeleteResult, OwnerResult, RefreshResult } from '../replication/replicator';
import type { JsonObject } from '../wire/json-object';
import type { HttpDependencies } from './dependencies';
import { DtoCheck } from './dto/dto-check';
import { LoadAddDto } from './dto/load-add.dto';
import type { BatchOp } from './dto/load-batch.dto';
import { LoadDeleteDto } from './dto/load-delete.dto';
import { LoadRefreshDto } from './dto/load-refresh.dto';
import { DEFAULT_OWNER_TTL_MS, OwnerRenewDto } from './dto/owner.dto';
import { ApiError } from './errors';

export type LoadReports = Readonly<Record<BatchOp, (object: JsonObject) => void>>;

export function loadReports({
  replicator,
  copyPolicy,
}: Pick<HttpDependencies, 'replicator' | 'copyPolicy'>): LoadReports {
  const addBody = new DtoCheck(LoadAddDto, ['owner']);
  const refreshBody = new DtoCheck(LoadRefreshDto, ['cluster', 'ip', 'owner']);
  const ownerBody = new DtoCheck(OwnerRenewDto);
  const deleteBody = new DtoCheck(LoadDeleteDto);

  const takeAdd = (result: AddResult): void => {
    if (result === 'accepted' || result === 'resend') return;
    const isCopy = result === 'duplicate' || result === 'moved';
    if (isCopy && copyPolicy === 'accept') return;
    throw addRefused(result);
  };
  const takeDeleted = (): void => {
    if (copyPolicy === 'accept') return;
    throw new ApiError('alreadyDeleted', 'request_id was already deleted');
  };
  const takeRefresh = (result: RefreshResult): void => {
    switch (result) {
      case 'accepted':
      case 'fresh':
        return;
      case 'already-deleted':
        takeDeleted();
        return;
      case 'unknown':
        throw new ApiError(
          'requestNotFound',
          'request_id is not in flight: a refresh that names cluster and ip is taken up',
        );
      default:
        throw addRefused(result);
    }
  };
  const takeDelete = (result: DeleteResult): void => {
    switch (result) {
      case 'accepted':
        return;
      case 'already-deleted':
        takeDeleted();
        return;
      case 'too-many-finished':
        throw limitReached('finished requests', 'METADATA_CENTER_MAX_IN_FLIGHT');
    }
  };

  return {
    add: (object) => {
      const { cluster, request_id, ip, prompt_length, timestamp, owner } = addBody.object(object);
      takeAdd(
        replicator.add({
          requestId: request_id,
          cluster,
          ip,
          // `|| 0` also turns the -0 that JSON can express into 0.
          promptLength: prompt_length || 0,
          timestampNs: timestamp ?? undefined,
          owner: owner ?? undefined,
        }),
      );
    },
    refresh: (object) => {
      const { cluster, request_id, ip, prompt_length, timestamp, owner } = refreshBody.object(object);
      takeRefresh(
        replicator.refresh({
          requestId: request_id,
          cluster: cluster ?? undefined,
          ip: ip ?? undefined,
          promptLength: prompt_length || 0,
          timestampNs: timestamp ?? undefined,
          owner: owner ?? undefined,
        }),
      );
    },
    owner: (object) => {
      const { owner, ttl_ms } = ownerBody.object(object);
      takeOwner(replicator.renewLease(owner, ttl_ms ?? DEFAULT_OWNER_TTL_MS));
    },
    'prompt-delete': (object) => takeDelete(replicator.promptDelete(deleteBody.object(object).request_id)),
    delete: (object) => takeDelete(replicator.delete(deleteBody.object(object).request_id)),
  };
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

export function takeOwner(result: OwnerResult): void {
  if (result !== 'accepted') throw limitReached('owners', 'METADATA_CENTER_MAX_OWNERS');
}

function limitReached(what: string, variable: string): ApiError {
  return new ApiError('unavailable', `this replica holds as many ${what} as ${variable} allows`);
}
