/** The decorator that puts a field rule on a member of a DTO. */
import { Expose } from 'class-transformer';
import { IsOptional, ValidateBy } from 'class-validator';
import type { FieldRule } from './field-rules';

/** The member must be present and must follow `rule`. */
export function Required(rule: FieldRule): PropertyDecorator {
  return (target, key) => {
    Expose()(target, key);
    ValidateBy({
      name: 'fieldRule',
      validator: {
        validate: rule.allows,
        defaultMessage: (field) =>
          field?.value === undefined || field.value === null
            ? `${String(key)} is required and must be ${rule.words}`
            : `${String(key)} must be ${rule.words}`,
      },
    })(target, key);
  };
}

/** The member must follow `rule` unless it is absent or null, which mean the same. */
export function Optional(rule: FieldRule): PropertyDecorator {
  return (target, key) => {
    Required(rule)(target, key);
    IsOptional()(target, key);
  };
}
