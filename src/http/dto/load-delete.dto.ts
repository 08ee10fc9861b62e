/**
 * The body of `DELETE /v1/load/stats` and `DELETE /v1/load/prompt`. What else is there is not looked at: a delete refused
 * for a field that it does not use would leave the request in flight.
 */
import { IsName } from './rules';

export class LoadDeleteDto {
  @IsName()
  readonly request_id!: string;
}
