/**
 * Reads variables one by one and collects what is wrong with them, so that an operator sees all of it at once. An
 * unset variable and an empty one are the same. A value of a secret is never repeated.
 */
import { formatDurationMs, parseDurationMs } from './duration';

export type Env = Readonly<Record<string, string | undefined>>;

export interface Problem {
  readonly variable: string;
  readonly problem: string;
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

export type Setting = readonly [variable: string, value: unknown];

export class EnvReader {
  readonly problems: Problem[] = [];
  private readonly known = new Set<string>();

  constructor(
    private readonly env: Env,
    private readonly isReadable: (path: string) => boolean,
  ) {}

  knows(variable: string): boolean {
    return this.known.has(variable);
  }

  isSet(variable: string): boolean {
    return this.raw(variable) !== undefined;
  }

  reject(variable: string, problem: string): void {
    this.problems.push({ variable, problem });
  }

  text(variable: string, pattern: RegExp, expected: string): string | undefined {
    const value = this.raw(variable);
    if (value === undefined || pattern.test(value)) return value;
    this.rejectValue(variable, value, expected);
    return undefined;
  }

  /** A stray line break in a mounted secret is better found here than at the server. */
  secret(variable: string): string | undefined {
    const value = this.raw(variable);
    if (value === undefined || /^(?!\s)\P{Cc}+(?<!\s)$/u.test(value)) return value;
    this.reject(variable, 'must not begin or end with a space, or contain line breaks or control characters');
    return undefined;
  }

  /** Reads a secret with `parse`, whose errors must not repeat it. */
  parsedSecret<T>(variable: string, parse: (value: string) => T): T | undefined {
    const value = this.raw(variable);
    if (value === undefined) return undefined;
    try {
      return parse(value);
    } catch (error) {
      this.reject(variable, error instanceof Error ? error.message : 'is not valid');
      return undefined;
    }
  }

  file(variable: string): string | undefined {
    const path = this.raw(variable);
    if (path !== undefined && !this.isReadable(path)) this.rejectValue(variable, path, 'a readable file');
    return path;
  }

  oneOf<T extends string>(variable: string, values: readonly T[], byDefault: T): T {
    const value = this.raw(variable);
    if (value === undefined) return byDefault;
    const found = values.find((candidate) => candidate === value.toLowerCase());
    if (found !== undefined) return found;
    this.rejectValue(variable, value, `one of ${values.join(', ')}`);
    return byDefault;
  }

  integer<T extends number | undefined>(variable: string, range: Range, byDefault: T): number | T {
    const value = this.raw(variable);
    if (value === undefined) return byDefault;
    const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
    if (number >= range.min && number <= range.max) return number;
    this.rejectValue(variable, value, `an integer from ${range.min} to ${range.max}`);
    return byDefault;
  }

  durationMs(variable: string, range: Range, byDefault: number): number {
    const value = this.raw(variable);
    if (value === undefined) return byDefault;
    const ms = parseDurationMs(value);
    if (ms !== undefined && ms >= range.min && ms <= range.max) return ms;
    const [min, max] = [formatDurationMs(range.min), formatDurationMs(range.max)];
    this.rejectValue(variable, value, `a duration such as 500ms, 5s or 1h30m, from ${min} to ${max}`);
    return byDefault;
  }

  /** For settings that make sense only with each other. */
  requireTogether(...settings: Setting[]): void {
    const missing = settings.filter(([, value]) => value === undefined);
    if (missing.length === settings.length) return;
    const all = settings.map(([variable]) => variable).join(' and ');
    for (const [variable] of missing) this.reject(variable, `is missing: ${all} belong together`);
  }

  /** For settings of which one would silently win. */
  requireAtMostOne(...settings: Setting[]): void {
    const [first, ...others] = settings.filter(([, value]) => value !== undefined);
    for (const [variable] of others) this.reject(variable, `must not be set together with ${first![0]}`);
  }

  /** The value; the variable counts as known from now on. */
  private raw(variable: string): string | undefined {
    this.known.add(variable);
    const value = this.env[variable];
    return value === '' ? undefined : value;
  }

  private rejectValue(variable: string, value: string, expected: string): void {
    const shown = value.length > 60 ? `${value.slice(0, 60)}…` : value;
    this.reject(variable, `must be ${expected}, not ${JSON.stringify(shown)}`);
  }
}
