/** The body of `POST /v1/load/stats`: a request was routed to an engine. */
import { IsOptional } from 'class-validator';
import { IsIpv4, IsName, IsOwner, IsPromptLength, IsTimestampNs } from './rules';

export class LoadAddDto {
  @IsName()
  readonly cluster!: string;

  @IsName()
  readonly request_id!: string;

  @IsIpv4()
  readonly ip!: string;

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
