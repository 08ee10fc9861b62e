/** The queries of the routes that answer with rows: of one cluster, or of several. */
import { ArrayMaxSize, ArrayMinSize, IsArray } from 'class-validator';
import { MAX_NAME_LENGTH } from '../../core/event';
import { inWords, IsName } from './rules';

export const MAX_CLUSTERS_ASKED = 64;

export class LoadQueryDto {
  @IsName()
  readonly cluster!: string;
}

const names = inWords(
  `given 1 to ${MAX_CLUSTERS_ASKED} times, each time a string of 1 to ${MAX_NAME_LENGTH} characters`,
);

export class LoadRowsQueryDto {
  @IsArray(names)
  @ArrayMinSize(1, names)
  @ArrayMaxSize(MAX_CLUSTERS_ASKED, names)
  @IsName({ ...names, each: true })
  readonly cluster!: readonly string[];
}
