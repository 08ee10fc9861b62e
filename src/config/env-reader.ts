/**
 * Reads the variables and collects what is wrong with them, so that an operator sees all of it at once. An unset variable and
 * an empty one are the same.
 */
import type { AnyVariable } from './variable';
import { VARIABLES, type ValueOf, type VariableName } from './variables';

export type Env = Readonly<Record<string, string | undefined>>;

export interface Problem {
  readonly variable: string;
  readonly problem: string;
}

const MAX_SHOWN = 60;

export class EnvReader {
  readonly problems: Problem[] = [];

  constructor(
    private readonly env: Env,
    private readonly isReadable: (path: string) => boolean,
  ) {}

  /** The default where it is unset, or bad: then that is noted. */
  read<N extends VariableName>(name: N): ValueOf<N> {
    const variable: AnyVariable = VARIABLES[name];
    const value = this.raw(name);
    const parsed = value === undefined ? undefined : this.parse(name, variable, value);
    return (parsed ?? variable.byDefault) as ValueOf<N>;
  }

  isSet(name: VariableName): boolean {
    return this.raw(name) !== undefined;
  }

  reject(variable: VariableName, problem: string): void {
    this.problems.push({ variable, problem });
  }

  /** For settings that make sense only with each other. */
  requireTogether(...names: VariableName[]): void {
    const missing = names.filter((name) => !this.isSet(name));
    if (missing.length === names.length) return;
    for (const name of missing) this.reject(name, `is missing: ${names.join(' and ')} belong together`);
  }

  /** For settings of which one would silently win. */
  requireAtMostOne(...names: VariableName[]): void {
    const [first, ...others] = names.filter((name) => this.isSet(name));
    for (const name of others) this.reject(name, `must not be set together with ${first!}`);
  }

  /** What is set, as it may be shown. */
  shown(): Record<string, string> {
    const names = Object.keys(VARIABLES) as VariableName[];
    const set = names.flatMap((name) => {
      const value = this.raw(name);
      return value === undefined ? [] : [[name, VARIABLES[name].kind.secret ? '(set)' : value] as const];
    });
    return Object.fromEntries(set);
  }

  private parse(name: VariableName, { kind }: AnyVariable, value: string): unknown {
    try {
      const parsed = kind.parse(value, this.isReadable);
      if (parsed === undefined) this.reject(name, `must be ${kind.expected}, not ${shortened(value)}`);
      return parsed;
    } catch (error) {
      this.reject(name, error instanceof Error ? error.message : 'is not valid');
      return undefined;
    }
  }

  private raw(name: VariableName): string | undefined {
    const value = this.env[name];
    return value === '' ? undefined : value;
  }
}

function shortened(value: string): string {
  return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value);
}
