/** The simulation in a process of its own, outside jest's sandbox. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { CleanUp } from '../support/clean-up';
import { exitOf, killWithParent } from '../support/child-processes';

/** It makes garbage all the time: less is copied in a large young generation, and one thread does it with the least work. */
const MEMORY = ['--min-semi-space-size=32', '--max-semi-space-size=64', '--single-threaded-gc'];

export interface Outcome {
  readonly result: unknown;
  readonly cpuUs: number;
}

export async function inPlainNode(cleanUp: CleanUp, ...args: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [...MEMORY, join(__dirname, 'plain-node.cjs'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  killWithParent(child);
  cleanUp.add(() => child.kill('SIGKILL'));
  const output = await text(child.stdout);
  if ((await exitOf(child)).code !== 0) throw new Error(output);
  return JSON.parse(output) as Outcome;
}
