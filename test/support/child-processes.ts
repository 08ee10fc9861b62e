/** Processes that tests start, and their end: none outlives the process that runs the tests. */
import { spawn, type ChildProcess } from 'node:child_process';

/**
 * A shell waits at a pipe from this process and kills the child when the pipe breaks: so it works however this
 * process ends, killed included. (Jest gives tests a copy of `process` whose exit event never comes.)
 */
export function killWithParent(child: ChildProcess): void {
  if (child.pid === undefined) return;
  const guard = spawn('/bin/sh', ['-c', 'read -r _ || kill -9 "$0"', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  guard.stdin.on('error', () => undefined);
  child.once('exit', () => guard.stdin.end('done\n'));
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Whether the process has ended, by itself or by a signal. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Settles when the process has ended, at once if it has already. */
export function exitOf(child: ChildProcess): Promise<ExitStatus> {
  if (hasEnded(child)) {
    return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  }
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
}
