/** The queries of the streams. */
import { LoadQueryDto } from './load-query.dto';
import { Optional } from './field';
import { watchInterval } from './field-rules';

export class OverviewQueryDto {
  @Optional(watchInterval)
  readonly interval_ms?: string;
}

export class WatchQueryDto extends LoadQueryDto {
  @Optional(watchInterval)
  readonly interval_ms?: string;
}
