/**
 * Checks untrusted members against a DTO's decorators, and says in words what is wrong with each. A fast check may
 * stand in front: what it calls surely valid is not looked at again, everything else the decorators decide.
 */
import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, validateSync } from 'class-validator';
import { ApiError } from '../errors';
import type { JsonBody } from '../json-body';
import { repeatedMembers } from '../json-members';

type Members = Readonly<Record<string, unknown>>;

export class DtoValidator<Dto extends object> {
  private readonly fields: ReadonlySet<string>;

  constructor(
    private readonly dto: new () => Dto,
    private readonly isSurelyValid: (members: Members) => boolean = () => false,
  ) {
    const rules = getMetadataStorage().getTargetValidationMetadatas(dto, '', true, false);
    this.fields = new Set(rules.map((rule) => rule.propertyName));
  }

  /** The members as `Dto`; fields that it does not know are ignored. Throws an `ApiError` that names each bad field. */
  checkBody({ text, members }: JsonBody): Dto {
    const reasons: string[] = [];
    for (const name of repeatedMembers(text, Object.keys(members).length)) {
      if (this.fields.has(name)) reasons.push(`${name} must be given only once`);
    }
    return this.check(members, reasons);
  }

  check(members: Members, reasons: string[] = []): Dto {
    if (reasons.length === 0 && this.isSurelyValid(members)) return members as Dto;
    const dto = this.toDto(members);
    for (const error of validateSync(dto)) reasons.push(...Object.values(error.constraints ?? {}));
    if (reasons.length > 0) throw new ApiError('invalidInput', reasons.join('; '));
    return dto;
  }

  /**
   * Every field of every DTO is a scalar, so an object or array is wrong whatever is in it, and is replaced by an empty one:
   * class-transformer would walk it, and stumble over thousands of levels or a member named `constructor`.
   */
  private toDto(members: Members): Dto {
    const scalars: Record<string, unknown> = {};
    for (const field of this.fields) {
      const value = members[field];
      scalars[field] = typeof value === 'object' && value !== null ? {} : value;
    }
    return plainToInstance(this.dto, scalars, { excludeExtraneousValues: true });
  }
}
