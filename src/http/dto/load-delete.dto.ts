/**
 * The body of `DELETE /v1/load/stats` and `DELETE /v1/load/prompt`. `request_id` alone identifies the request; the
 * rest is checked for form when present (the gateway in use sends `""`) and then not looked at.
 */
import { Optional, Required } from './field';
import { ipv4OrEmpty, promptLength, text, textOrEmpty } from './field-rules';

export class LoadDeleteDto {
  @Required(text)
  readonly request_id!: string;

  @Optional(textOrEmpty)
  readonly cluster?: string | null;

  @Optional(ipv4OrEmpty)
  readonly ip?: string | null;

  @Optional(promptLength)
  readonly prompt_length?: number | null;
}

/** True only where the decorators above would find nothing; it costs a tenth of asking them. */
export function isSurelyLoadDelete(body: Readonly<Record<string, unknown>>): boolean {
  return (
    text.allows(body['request_id']) &&
    (body['cluster'] === undefined || textOrEmpty.allows(body['cluster'])) &&
    (body['ip'] === undefined || ipv4OrEmpty.allows(body['ip'])) &&
    (body['prompt_length'] === undefined || promptLength.allows(body['prompt_length']))
  );
}
