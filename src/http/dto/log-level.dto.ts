/** The body of `POST /log/level`. */
import { Matches } from 'class-validator';
import { inWords } from './rules';

export const LOG_LEVEL_NAMES = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

/** Without a flag that ignores case: JSON Schema, where the pattern goes too, has none. */
const inAnyCase = (word: string): string =>
  word.replace(/./g, (letter) => `[${letter}${letter.toLowerCase()}]`);
const LEVEL = new RegExp(`^(?:${LOG_LEVEL_NAMES.map(inAnyCase).join('|')})$`);

export class LogLevelDto {
  @Matches(LEVEL, inWords(`one of ${LOG_LEVEL_NAMES.join(', ')}`))
  readonly LevelParam!: string;
}
