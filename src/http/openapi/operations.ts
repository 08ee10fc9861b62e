/** The pieces that operations of the API document are put together from. */
import { LoadQueryDto, LoadRowsQueryDto, MAX_CLUSTERS_ASKED } from '../dto/load-query.dto';
import { OverviewQueryDto } from '../dto/watch-query.dto';
import type { ErrorName } from '../errors';
import { errorKinds } from '../errors';
import { MAX_BODY_BYTES } from '../request-body';
import { EXAMPLES } from './examples';
import { parameterSchemaOf } from './dto-schema';
import type { Schema } from './schemas';
import { okEnvelopeOf, ref } from './schemas';

export interface Operation {
  /** What generated clients call it. */
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly object[];
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, object>>;
  readonly security?: readonly object[];
}

export function json(description: string, schema: Schema): object {
  return { description, content: { 'application/json': { schema } } };
}

export function ok(description: string, data: Schema): Record<string, object> {
  return { '200': json(description, okEnvelopeOf(data)) };
}

export function content(
  description: string,
  type: string,
  schema: Schema = { type: 'string' },
): Record<string, object> {
  return { '200': { description, content: { [type]: { schema } } } };
}

/** The error answers of an operation, several codes of one status together; whatever else goes wrong looks the same. */
export function errors(...names: readonly ErrorName[]): Record<string, object> {
  const byStatus = new Map<number, string[]>();
  for (const name of names) {
    const { status, code, message } = errorKinds[name];
    byStatus.set(status, [...(byStatus.get(status) ?? []), `${code}: ${message}`]);
  }
  const answers = [...byStatus].map(([status, lines]) => [
    String(status),
    json(lines.join('; '), ref('ErrorEnvelope')),
  ]);
  return { ...Object.fromEntries(answers), default: json('Any other error', ref('ErrorEnvelope')) } as Record<
    string,
    object
  >;
}

export function body(schemaName: keyof typeof EXAMPLES, maxBytes = MAX_BODY_BYTES): object {
  const description = `At most ${maxBytes / 1024} KiB of JSON, whatever the Content-Type says. Unknown fields are ignored.`;
  const json = { schema: ref(schemaName), example: EXAMPLES[schemaName] };
  return { required: true, description, content: { 'application/json': json } };
}

export function query(name: string, required: boolean, schema: Schema, description: string): object {
  return { name, in: 'query', required, schema, description };
}

export const clusterQuery = query(
  'cluster',
  true,
  parameterSchemaOf(LoadQueryDto, 'cluster'),
  'The cluster, given once. One that nobody has reported has no rows.',
);

export const clustersQuery = query(
  'cluster',
  true,
  parameterSchemaOf(LoadRowsQueryDto, 'cluster'),
  `A cluster, given 1 to ${MAX_CLUSTERS_ASKED} times. One that is given twice counts once; one that nobody has reported has no rows.`,
);

export function intervalQuery(defaultMs: number): object {
  return query(
    'interval_ms',
    false,
    { ...parameterSchemaOf(OverviewQueryDto, 'interval_ms'), default: defaultMs },
    'At most one message is sent in this time.',
  );
}
