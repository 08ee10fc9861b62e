/** The query of the routes that answer for one cluster. */
import { IsName } from './rules';

export class LoadQueryDto {
  @IsName()
  readonly cluster!: string;
}
