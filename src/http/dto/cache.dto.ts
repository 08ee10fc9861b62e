/** The bodies of the cache routes. A hash stands for the prompt up to its chunk: 64 bits, unsigned, mostly beyond 2^53. */
import { ArrayMaxSize, IsArray, IsOptional, type ValidationOptions } from 'class-validator';
import { isExactInteger, IsExactIntegerFrom, IsIntegerFrom, IsIpv4, IsName } from './rules';

export const MAX_PROMPT_HASHES = 16_384;
export const MAX_TOPK = 1_024;
export const DEFAULT_TOPK = 10;

const MAX_HASH = 2n ** 64n - 1n;
const ELEMENT = `an integer from 0 to ${MAX_HASH}`;
const LIST = `an array of at most ${MAX_PROMPT_HASHES} integers from 0 to ${MAX_HASH}`;

/** An array of 64-bit hashes, read with all their digits. */
export function IsPromptHash(): PropertyDecorator {
  const options: ValidationOptions = {
    message: ({ property, value }) => {
      const hashes = Array.isArray(value) && value.length <= MAX_PROMPT_HASHES ? (value as unknown[]) : [];
      const bad = hashes.findIndex((hash) => !isExactInteger(hash, 0n, MAX_HASH));
      return bad === -1 ? `${property} must be ${LIST}` : `${property}[${bad}] must be ${ELEMENT}`;
    },
  };
  return (target, key) => {
    IsArray(options)(target, key);
    ArrayMaxSize(MAX_PROMPT_HASHES, options)(target, key);
    IsExactIntegerFrom(0n, MAX_HASH, { ...options, each: true })(target, key);
  };
}

export class CacheQueryDto {
  @IsName()
  readonly cluster!: string;

  @IsOptional()
  @IsPromptHash()
  readonly prompt_hash?: readonly bigint[] | null;

  @IsOptional()
  @IsIntegerFrom(0, MAX_TOPK)
  readonly topk?: number | null;
}

export class CacheSaveDto {
  @IsName()
  readonly cluster!: string;

  @IsOptional()
  @IsPromptHash()
  readonly prompt_hash?: readonly bigint[] | null;

  @IsIpv4()
  readonly ip!: string;
}

export class CacheClearDto {
  @IsOptional()
  @IsName()
  readonly cluster?: string | null;

  @IsIpv4()
  readonly ip!: string;
}
