/** `POST /v1/load/select`: choose an engine and book the request on it. */
import { selectedJson, type SelectRequest, type Unselected } from '../../replication/selector';
import { JsonObject } from '../../wire/json-object';
import type { HttpDependencies } from '../dependencies';
import { DtoCheck } from '../dto/dto-check';
import {
  CandidateDto,
  DEFAULT_CHUNK_TOKENS,
  DEFAULT_REQUEST_COST,
  LoadSelectDto,
} from '../dto/load-select.dto';
import { isIpv4 } from '../dto/rules';
import { ApiError } from '../errors';
import { jsonBody } from '../json-body';
import type { Router } from '../router';
import { addRefused } from '../load-reports';

export function addSelectRoute(router: Router, { selector }: Pick<HttpDependencies, 'selector'>): void {
  const body = new DtoCheck(LoadSelectDto, ['owner']);
  const candidateBody = new DtoCheck(CandidateDto);

  const readCandidates = (object: JsonObject, named: readonly unknown[]): SelectRequest['candidates'] => {
    // Mostly they are nothing but addresses, which need not be looked for in the text.
    if (named.every(isIpv4)) return named;
    const reasons: string[] = [];
    const read = object.elements('candidates').map((element, i) => {
      try {
        const asObject =
          element instanceof JsonObject ? element : new JsonObject('{"ip":0}', { ip: element });
        const path = element instanceof JsonObject ? `candidates[${i}].` : `candidates[${i}] as an address: `;
        const { ip, credit } = candidateBody.object(asObject, path);
        return { ip, credit: credit || 0 };
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        reasons.push(error.reason);
        return { ip: '', credit: 0 };
      }
    });
    if (reasons.length > 0) throw new ApiError('invalidInput', reasons.join('; '));
    return read;
  };

  const readSelect = (bytes: Buffer): SelectRequest => {
    const object = jsonBody(bytes);
    const dto = body.object(object);
    return {
      requestId: dto.request_id,
      cluster: dto.cluster,
      // `|| 0` also turns the -0 that JSON can express into 0.
      promptLength: dto.prompt_length || 0,
      timestampNs: dto.timestamp ?? undefined,
      owner: dto.owner ?? undefined,
      candidates: dto.candidates ? readCandidates(object, dto.candidates) : undefined,
      requestCost: dto.request_cost ?? DEFAULT_REQUEST_COST,
      maxQueued: dto.max_queued ?? undefined,
      maxPromptLength: dto.max_prompt_length ?? undefined,
      promptHash: dto.prompt_hash ?? undefined,
      chunkTokens: dto.chunk_tokens ?? DEFAULT_CHUNK_TOKENS,
      book: dto.book ?? true,
    };
  };

  router.json('/v1/load/select', {
    post: (bytes) => {
      const selected = selector.select(readSelect(bytes));
      if (typeof selected === 'string') throw refusal(selected);
      return selectedJson(selected);
    },
  });
}

function refusal(result: Unselected): ApiError {
  switch (result) {
    case 'not-caught-up':
      return new ApiError('unavailable', 'this replica has not caught up yet: ask the next one');
    case 'no-engine':
      return noEngine('no candidate has room');
    case 'no-rows':
      return noEngine('the cluster has no rows: name candidates');
    default:
      return addRefused(result);
  }
}

function noEngine(reason: string): ApiError {
  return new ApiError('noEngine', reason, { 'Retry-After': '1' });
}
