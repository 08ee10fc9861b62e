/**
 * Checks untrusted members against the rules of a DTO. The rules are read once, at the start, and become a check that costs a
 * tenth of the library's. The library itself is asked only about what is not valid: for the words.
 */
import { validateSync } from 'class-validator';
import type { JsonObject } from '../../wire/json-object';
import { ApiError } from '../errors';
import { queryValue, queryValues } from '../query-string';
import { type Field, fieldsOf, type Rule } from './dto-rules';
import { EXACT_INTEGER, isIpv4 } from './rules';

type Members = Record<string, unknown>;
type Test = (value: unknown) => boolean;

export class DtoCheck<Dto extends object> {
  private readonly fields: readonly (Field & { readonly tests: readonly Test[] })[];
  /** In a query all are texts: what is made of them. */
  private readonly inQuery: readonly {
    readonly name: string;
    readonly isArray: boolean;
    readonly isInteger: boolean;
  }[];
  /** Of them those that are read with all their digits. */
  private readonly exact: readonly { readonly name: string; readonly each: boolean }[];

  /** `emptyIsAbsent`: fields that gateways send as `""` where they have nothing to say. */
  constructor(
    private readonly dto: new () => Dto,
    private readonly emptyIsAbsent: readonly (keyof Dto & string)[] = [],
  ) {
    const fields = fieldsOf(dto);
    this.fields = fields.map((field) => ({ ...field, tests: field.rules.map(testOf) }));
    const has = (rules: readonly Rule[], rule: string): boolean => rules.some(({ name }) => name === rule);
    this.inQuery = fields.map(({ name, rules }) => ({
      name,
      isArray: has(rules, 'isArray'),
      isInteger: has(rules, 'isInt'),
    }));
    this.exact = fields.flatMap(({ name, rules }) =>
      rules.filter((rule) => rule.name === EXACT_INTEGER).map(({ each }) => ({ name, each })),
    );
  }

  /**
   * The object as `Dto`; members that it does not know are ignored. Throws an `ApiError` that names each bad field, with
   * `path` before its name (`candidates[3].`).
   */
  object(object: JsonObject, path = ''): Dto {
    const { members } = object;
    for (const name of this.emptyIsAbsent) if (members[name] === '') members[name] = undefined;
    for (const { name, each } of this.exact) {
      const value = members[name];
      if (each && Array.isArray(value)) members[name] = object.exactIntegers(name);
      else if (typeof value === 'number') members[name] = object.exactInteger(name) ?? value;
    }
    if (this.accepts(object)) return members as Dto;
    const repeated = object.repeatedMembers();
    const twice = this.fields.filter(({ name }) => repeated.has(name));
    return this.checked(
      members,
      path,
      twice.map(({ name }) => `${name} must be given only once`),
    );
  }

  /**
   * The parameters of a request's query that `Dto` names, each given at most once where it is no array; integers are made of their
   * digits.
   */
  query(url: string): Dto {
    const members: Members = {};
    for (const { name, isArray, isInteger } of this.inQuery) {
      if (isArray) {
        const values = queryValues(url, name);
        if (values.length > 0) members[name] = values;
        continue;
      }
      const value = queryValue(url, name);
      members[name] = isInteger && value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : value;
    }
    return this.isValid(members) ? (members as Dto) : this.checked(members, '', []);
  }

  /** Whether nothing is wrong with the members as they are. */
  accepts(object: JsonObject): boolean {
    return object.repeatedMembers().size === 0 && this.isValid(object.members);
  }

  /** What the decorators say, without their words. */
  isValid(members: Members): boolean {
    for (const { name, optional, tests } of this.fields) {
      const value = members[name];
      if (optional && (value === undefined || value === null)) continue;
      for (const test of tests) if (!test(value)) return false;
    }
    return true;
  }

  private checked(members: Members, path: string, reasons: string[]): Dto {
    const dto = new this.dto();
    for (const { name } of this.fields) (dto as Members)[name] = members[name];
    const errors = validateSync(dto);
    for (const { name } of this.fields) {
      const error = errors.find(({ property }) => property === name);
      reasons.push(...Object.values(error?.constraints ?? {}));
    }
    if (reasons.length === 0) return dto;
    // Several rules of one field have one message.
    throw new ApiError('invalidInput', [...new Set(reasons)].map((reason) => path + reason).join('; '));
  }
}

function testOf(rule: Rule): Test {
  const test = quickTestOf(rule) ?? rule.validate;
  return rule.each
    ? (value) => (Array.isArray(value) ? (value as unknown[]).every(test) : test(value))
    : test;
}

/** Of the rules on the path of every report, in the form that the engine runs fastest; a property test holds them to the library. */
function quickTestOf({ name, constraints, validate }: Rule): Test | undefined {
  switch (name) {
    case 'isLength': {
      const [min, max] = constraints as [number, number];
      // It may count fewer characters than there are units, but one at least.
      return (value) =>
        typeof value === 'string' && min <= 1 && value.length >= min && value.length <= max
          ? true
          : validate(value);
    }
    case 'matches': {
      const [pattern] = constraints as [RegExp];
      return (value) => typeof value === 'string' && pattern.test(value);
    }
    case 'isIp':
      return constraints[0] === 4 ? isIpv4 : undefined;
    default:
      return undefined;
  }
}
