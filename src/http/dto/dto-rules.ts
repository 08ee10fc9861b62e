/** The rules that class-validator's decorators have put on a DTO, by field: what its check and its schema are made from. */
import { getMetadataStorage, type ValidationArguments, ValidationTypes } from 'class-validator';

type Validate = (value: unknown) => boolean;

export interface Rule {
  /** As class-validator calls it: `isInt`, `min`, … */
  readonly name: string;
  /** What the decorator was given. */
  readonly constraints: readonly unknown[];
  /** It is about each element of an array. */
  readonly each: boolean;
  /** The library's own. */
  readonly validate: Validate;
}

export interface Field {
  readonly name: string;
  /** Absent and null mean the same. */
  readonly optional: boolean;
  readonly rules: readonly Rule[];
}

/** In the order of their declaration, inherited ones first. Throws for decorators that are not of a kind that is read here. */
export function fieldsOf(dto: new () => object): readonly Field[] {
  const storage = getMetadataStorage();
  const own = ({ target }: { readonly target: unknown }): number => Number(target === dto);
  const metadatas = storage.getTargetValidationMetadatas(dto, '', true, false);
  const byField = storage.groupByPropertyName(metadatas.sort((a, b) => own(a) - own(b)));
  return Object.entries(byField).map(([name, metadata]) => {
    const rules: Rule[] = [];
    let optional = false;
    for (const each of metadata) {
      if (each.type === ValidationTypes.CONDITIONAL_VALIDATION && each.name === 'isOptional') {
        optional = true;
        continue;
      }
      const [constraint] = storage.getTargetValidatorConstraints(each.constraintCls);
      if (constraint === undefined) throw new Error(`${dto.name}.${name} has a rule of an unknown kind`);
      const { instance } = constraint;
      const constraints = (each.constraints as unknown[] | undefined) ?? [];
      const given = { constraints } as ValidationArguments;
      const validate: Validate = (value) => instance.validate(value, given) === true;
      rules.push({ name: constraint.name, constraints, each: each.each, validate });
    }
    return { name, optional, rules };
  });
}
