/** The arguments of the demo and of the bench: `--help`, and what is unknown is refused before anything is started. */
import { parseArgs } from 'node:util';

export interface Option {
  readonly default?: string;
  readonly words: string;
}

export interface Usage<Name extends string> {
  readonly command: string;
  readonly words: string;
  readonly options: Readonly<Record<Name, Option>>;
}

export type Arguments<Name extends string> = Readonly<Partial<Record<Name, string>>>;

/** Ends the process for `--help`, and with 2 for what is unknown or what `read` refuses. */
export function readArguments<Name extends string, T>(
  usage: Usage<Name>,
  read: (values: Arguments<Name>) => T,
): T {
  const options = Object.entries<Option>(usage.options).map(
    ([name, { default: value }]) =>
      [name, { type: 'string', ...(value !== undefined && { default: value }) }] as const,
  );
  try {
    const { help, ...values } = parseArgs({
      options: { ...Object.fromEntries(options), help: { type: 'boolean', short: 'h' } },
    }).values;
    if (help === true) {
      process.stdout.write(helpOf(usage));
      process.exit(0);
    }
    return read(values as Arguments<Name>);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage.command} -- --help says what there is.\n`);
    process.exit(2);
  }
}

function helpOf({ command, words, options }: Usage<string>): string {
  const names = Object.keys(options);
  const width = Math.max(...names.map((name) => name.length));
  const lines = Object.entries(options).map(
    ([name, { default: value, words: meaning }]) =>
      `  --${name.padEnd(width)}  ${meaning}${value === undefined ? '' : ` (${value})`}`,
  );
  return [`${command} [-- --${names[0]!} …]`, '', words, '', ...lines, ''].join('\n');
}

export function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new Error(`--${name} takes a number above 0, not ${text}`);
  return value;
}
