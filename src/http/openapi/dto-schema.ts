/** The schema of a DTO, out of the rules that check it: what is documented is what is enforced. */
import { type Field, fieldsOf, type Rule } from '../dto/dto-rules';
import type { Schema } from './schemas';

/** `more` adds to single fields what no rule says: descriptions, defaults, examples. */
export function schemaOf(dto: new () => object, more: Readonly<Record<string, Schema>> = {}): Schema {
  const fields = fieldsOf(dto);
  return {
    type: 'object',
    properties: Object.fromEntries(
      fields.map((field) => [field.name, { ...fieldSchema(field), ...more[field.name] }]),
    ),
    required: fields.filter(({ optional }) => !optional).map(({ name }) => name),
  };
}

/** Of one parameter of a query, which can't be null. */
export function parameterSchemaOf(dto: new () => object, name: string): Schema {
  const field = fieldsOf(dto).find((each) => each.name === name);
  if (field === undefined) throw new Error(`${dto.name} has no ${name}`);
  return fieldSchema({ ...field, optional: false });
}

function fieldSchema({ rules, optional }: Field): Schema {
  const own = Object.assign({}, ...rules.filter(({ each }) => !each).map(keywordsOf)) as Schema;
  const items = Object.assign({}, ...rules.filter(({ each }) => each).map(keywordsOf)) as Schema;
  const schema = 'type' in items ? { ...own, items } : own;
  return optional ? { ...schema, type: [schema['type'], 'null'] } : schema;
}

function keywordsOf({ name, constraints: [first, second] }: Rule): Schema {
  switch (name) {
    case 'isString':
      return { type: 'string' };
    case 'isLength':
      return { type: 'string', minLength: first, maxLength: second };
    case 'matches':
      return { type: 'string', pattern: (first as RegExp).source };
    case 'isIp':
      return { type: 'string', format: `ipv${String(first)}` };
    case 'isInt':
      return { type: 'integer' };
    case 'min':
      return { minimum: first };
    case 'max':
      return { maximum: first };
    case 'isExactInteger':
      return {
        type: 'integer',
        format: (second as bigint) < 2n ** 63n ? 'int64' : 'uint64',
        minimum: Number(first),
        maximum: Number(second),
      };
    case 'isIn':
      return { type: 'string', enum: first };
    case 'isBoolean':
      return { type: 'boolean' };
    case 'isArray':
      return { type: 'array' };
    case 'arrayMinSize':
      return { minItems: first };
    case 'arrayMaxSize':
      return { maxItems: first };
    default:
      throw new Error(`no schema for the rule ${name}`);
  }
}
