/** Programs that some of these tests need and that not every machine has: without them the tests are skipped, loudly. */
import { spawnSync } from 'node:child_process';

export interface ProgramResult {
  readonly status: number | null;
  readonly output: string;
}

export class Program {
  /** `recognize` looks at what `probe` prints. */
  constructor(
    private readonly command: string,
    private readonly leadingArgs: readonly string[],
    probe: readonly string[],
    recognize = /./,
  ) {
    const { status, output } = this.spawn(probe, '');
    this.found = status === 0 && recognize.test(output);
  }

  readonly found: boolean;

  run(args: readonly string[], input = ''): ProgramResult {
    return this.spawn([...this.leadingArgs, ...args], input);
  }

  private spawn(args: readonly string[], input: string): ProgramResult {
    const options = { input, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, timeout: 150_000 } as const;
    const { status, stdout, stderr, error } = spawnSync(this.command, args, options);
    return { status, output: error ? String(error) : stdout + stderr };
  }
}

/** `describe`, or `describe.skip` and a word on stderr about what is missing. */
export function describeWith(program: Program | undefined, missing: string): jest.Describe {
  if (program?.found) return describe;
  process.stderr.write(`\n*** SKIPPED, since there is no ${missing}. ***\n`);
  return describe.skip;
}
