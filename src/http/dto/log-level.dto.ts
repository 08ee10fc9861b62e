/** The body of `POST /log/level`. */
import { Required } from './field';
import { logLevel } from './field-rules';

export class LogLevelDto {
  @Required(logLevel)
  readonly LevelParam!: string;
}
