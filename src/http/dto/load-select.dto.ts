/** The body of `POST /v1/load/select`: choose an engine for a request, and count the request there. */
import { ArrayMaxSize, ArrayMinSize, IsArray, IsBoolean, IsOptional } from 'class-validator';
import { MAX_PROMPT_LENGTH } from '../../core/event';
import { IsPromptHash } from './cache.dto';
import { LoadRequestDto } from './load-add.dto';
import { inWords, IsIntegerFrom, IsIpv4 } from './rules';

export const DEFAULT_REQUEST_COST = 128;
export const DEFAULT_CHUNK_TOKENS = 128;
const MAX_CANDIDATES = 256;

const candidates = inWords(`an array of 1 to ${MAX_CANDIDATES} engines`);
const IsTokens = (): PropertyDecorator => IsIntegerFrom(0, MAX_PROMPT_LENGTH);

/** One that is written with a credit. */
export class CandidateDto {
  @IsIpv4()
  readonly ip!: string;

  @IsOptional()
  @IsIntegerFrom(-(2 ** 31), 2 ** 31 - 1)
  readonly credit?: number | null;
}

export class LoadSelectDto extends LoadRequestDto {
  /** Each an address or an object; what they hold is checked by `CandidateDto`. */
  @IsOptional()
  @IsArray(candidates)
  @ArrayMinSize(1, candidates)
  @ArrayMaxSize(MAX_CANDIDATES, candidates)
  readonly candidates?: readonly unknown[] | null;

  @IsOptional()
  @IsTokens()
  readonly request_cost?: number | null;

  @IsOptional()
  @IsTokens()
  readonly max_queued?: number | null;

  @IsOptional()
  @IsTokens()
  readonly max_prompt_length?: number | null;

  @IsOptional()
  @IsPromptHash()
  readonly prompt_hash?: readonly bigint[] | null;

  @IsOptional()
  @IsTokens()
  readonly chunk_tokens?: number | null;

  @IsOptional()
  @IsBoolean(inWords('true or false'))
  readonly book?: boolean | null;
}
