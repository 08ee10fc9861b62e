/** The body of `POST /v1/load/stats`: a request was routed to an engine. */
import { Optional, Required } from './field';
import { ipv4, promptLength, text, timestampNs } from './field-rules';

export class LoadAddDto {
  @Required(text)
  readonly cluster!: string;

  @Required(text)
  readonly request_id!: string;

  @Required(ipv4)
  readonly ip!: string;

  @Optional(promptLength)
  readonly prompt_length?: number | null;

  @Optional(timestampNs)
  readonly timestamp?: bigint | null;
}

/** True only where the decorators above would find nothing; it costs a tenth of asking them. */
export function isSurelyLoadAdd(body: Readonly<Record<string, unknown>>): boolean {
  return (
    text.allows(body['cluster']) &&
    text.allows(body['request_id']) &&
    ipv4.allows(body['ip']) &&
    (body['prompt_length'] === undefined || promptLength.allows(body['prompt_length'])) &&
    (body['timestamp'] === undefined || timestampNs.allows(body['timestamp']))
  );
}
