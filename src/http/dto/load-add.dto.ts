/** The body of `POST /v1/load/stats`: a request was routed to an engine. */
import { IsOptional } from 'class-validator';
import { IsIpv4, IsName, IsOwner, IsPromptLength, IsTimestampNs } from './rules';

/** What counts at an engine, whichever it is. */
export class LoadRequestDto {
  @IsName()
  readonly cluster!: string;

  @IsName()
  readonly request_id!: string;

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

export class LoadAddDto extends LoadRequestDto {
  @IsIpv4()
  readonly ip!: string;
}
