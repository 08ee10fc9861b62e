/** The arguments of the demo and of the bench: `--help`, and what is unknown is refused before anything is started. */
import { parseArgs } from 'node:util';

export interface Option {
  readonly default: string;
  readonly words: string;
}

export interface Usage<Name extends string> {
  readonly command: string;
  readonly words: string;
  readonly options: Readonly<Record<Name, Option>>;
}

export type Arguments<Name extends string> = Readonly<Record<Name, string>>;

/** What to print instead of doing anything. */
export interface LastWords {
  readonly text: string;
  readonly exitCode: 0 | 2;
}

/** The last words are help, or what is unknown or what `read` refuses. */
export function argumentsOf<Name extends string, T>(
  usage: Usage<Name>,
  args: string[],
  read: (values: Arguments<Name>) => T,
): T | LastWords {
  const options = Object.entries<Option>(usage.options).map(
    ([name, { default: value }]) => [name, { type: 'string', default: value }] as const,
  );
  try {
    const { help, ...values } = parseArgs({
      args,
      options: { ...Object.fromEntries(options), help: { type: 'boolean', short: 'h' } },
    }).values;
    return help === true ? { text: helpOf(usage), exitCode: 0 } : read(values as Arguments<Name>);
  } catch (error) {
    const text = `${(error as Error).message}\n${usage.command} -- --help says what there is.\n`;
    return { text, exitCode: 2 };
  }
}

export function isLastWords(read: object): read is LastWords {
  return 'exitCode' in read;
}

/** Never comes back from last words. */
export function orEnd<T extends object>(read: T | LastWords): T {
  if (!isLastWords(read)) return read;
  (read.exitCode === 0 ? process.stdout : process.stderr).write(read.text);
  process.exit(read.exitCode);
}

function helpOf({ command, words, options }: Usage<string>): string {
  const names = Object.keys(options);
  const width = Math.max(...names.map((name) => name.length));
  const lines = Object.entries(options).map(
    ([name, { default: value, words: meaning }]) => `  --${name.padEnd(width)}  ${meaning} (${value})`,
  );
  return [`${command} [-- --${names[0]!} …]`, '', words, '', ...lines, ''].join('\n');
}

export function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new Error(`--${name} takes a number above 0, not ${text}`);
  return value;
}
