/**
 * Holds real answers to the API document that the service publishes. Every call of the HTTP tests goes through here, so
 * that the document cannot say anything that the service does not do.
 */
import assert from 'node:assert/strict';
import addFormats from 'ajv-formats';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import { openApiDocument } from '../../src/http/openapi/document';

interface Documented {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Responses }>>>>;
}

type Responses = Readonly<Record<string, { readonly content: Readonly<Record<string, unknown>> }>>;

const document = openApiDocument('0.0.0-test') as Documented;
const ajv = addFormats(new Ajv2020({ strict: false, allErrors: true }));
ajv.addSchema(document, 'api');
const validators = new Map<string, ValidateFunction>();

/** Throws when the document does not describe such an answer. */
export function assertConforms(
  method: string,
  url: string,
  status: number,
  type: string,
  text: string,
): void {
  const [path = ''] = url.split('?');
  const verb = method.toLowerCase();
  if (verb === 'head' || verb === 'options') return;
  const operation = document.paths[path]?.[verb];
  // An unknown path or method: only the general form of an error is promised.
  if (operation === undefined) {
    if (!path.startsWith('/dashboard/')) assertValid(['components', 'schemas', 'ErrorEnvelope'], text);
    return;
  }
  const key = String(status) in operation.responses ? String(status) : 'default';
  assert(key !== 'default' || status >= 400, `${method} ${path} answered ${status}, which is not documented`);
  const [mediaType = ''] = type.split(';');
  assert(
    mediaType in operation.responses[key]!.content,
    `${method} ${path} answered ${status} as ${type}, which is not documented`,
  );
  if (mediaType !== 'application/json') return;
  assertValid(['paths', path, verb, 'responses', key, 'content', mediaType, 'schema'], text);
}

function assertValid(where: readonly string[], text: string): void {
  const pointer = where.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/');
  let validate = validators.get(pointer);
  if (!validate) validators.set(pointer, (validate = ajv.compile({ $ref: `api#/${encodeURI(pointer)}` })));
  assert(validate(JSON.parse(text)), `${pointer}: ${ajv.errorsText(validate.errors)}\n${text.slice(0, 500)}`);
}
