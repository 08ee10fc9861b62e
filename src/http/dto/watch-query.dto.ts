/** The queries of the streams. */
import { IsOptional } from 'class-validator';
import { LoadRowsQueryDto } from './load-query.dto';
import { IsIntegerFrom } from './rules';

const IsWatchInterval = (): PropertyDecorator => IsIntegerFrom(20, 10_000);

export class OverviewQueryDto {
  @IsOptional()
  @IsWatchInterval()
  readonly interval_ms?: number;
}

export class WatchQueryDto extends LoadRowsQueryDto {
  @IsOptional()
  @IsWatchInterval()
  readonly interval_ms?: number;
}
