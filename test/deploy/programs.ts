/** Programs that some of these tests need and that not every machine has: without them the tests are skipped, loudly. */
import { spawnSync } from 'node:child_process';

export interface ProgramResult {
  readonly status: number | null;
  readonly output: string;
}

export class Program {
  readonly found: boolean;

  constructor(
    private readonly command: string,
    private readonly leadingArgs: readonly string[],
    probeArgs: readonly string[],
  ) {
    this.found = spawnSync(command, probeArgs, { stdio: 'ignore' }).status === 0;
  }

  run(args: readonly string[], input = ''): ProgramResult {
    const { status, stdout, stderr } = spawnSync(this.command, [...this.leadingArgs, ...args], {
      input,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    return { status, output: stdout + stderr };
  }
}

/** `describe`, or `describe.skip` and a word on stderr about what is missing. */
export function describeWith(found: boolean, missing: string): jest.Describe {
  if (found) return describe;
  process.stderr.write(`\n*** SKIPPED, since there is no ${missing}. ***\n`);
  return describe.skip;
}
