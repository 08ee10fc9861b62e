/** The query of the routes that answer for one cluster. */
import { Required } from './field';
import { text } from './field-rules';

export class LoadQueryDto {
  @Required(text)
  readonly cluster!: string;
}

export function isSurelyLoadQuery(query: Readonly<Record<string, unknown>>): boolean {
  return text.allows(query['cluster']);
}
