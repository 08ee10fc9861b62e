/** Starts the bare server as a process of its own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { exitOf, killWithParent } from '../../test/support/child-processes';
import type { BareAnswers } from './bare-server';

export interface BareServer {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<unknown>;
}

export async function startBareServer(answers: BareAnswers): Promise<BareServer> {
  const child = spawn(process.execPath, [join(__dirname, 'bare-server.js'), JSON.stringify(answers)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  killWithParent(child);
  // Nothing else keeps this process alive while it waits for the port.
  child.ref();
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (line: Buffer) => resolve(Number(line.toString())));
    child.once('exit', () => reject(new Error('the bare server has ended')));
  });
  return {
    host: '127.0.0.1',
    port,
    pid: child.pid!,
    stop: () => {
      child.kill();
      return exitOf(child);
    },
  };
}
