/** The body of `PUT /v1/load/stats`: a request still runs. Where it runs is for a replica that does not know it. */
import { IsOptional } from 'class-validator';
import { IsIpv4, IsName, IsOwner, IsPromptLength, IsTimestampNs } from './rules';

export class LoadRefreshDto {
  @IsName()
  readonly request_id!: string;

  @IsOptional()
  @IsName()
  readonly cluster?: string | null;

  @IsOptional()
  @IsIpv4()
  readonly ip?: string | null;

  @IsOptional()
  @IsPromptLength()
  readonly prompt_length?: number | null;

  @IsOptional()
  @IsTimestampNs()
  readonly timestamp?: bigint | null;

  @IsOptional()
  @IsOwner()
  readonly owner?: string | null;
}
