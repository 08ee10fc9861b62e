/** Processes that tests start, and their end: none outlives the process that runs the tests, and none keeps it alive. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

/** The whole group where the process leads one, so that what it has started ends with it. */
const KILL = 'kill -s KILL -- "-$0" || kill -s KILL "$0"';

/**
 * A shell waits at a pipe from this process and kills the child when the pipe breaks: so it works however this
 * process ends, killed included. (Jest gives tests a copy of `process` whose exit event never comes.) A child that a
 * failed test has left running does not keep this process from ending; `exitOf` waits for one nevertheless.
 */
export function killWithParent(child: ChildProcess): void {
  keepAlive(child, false);
  if (child.pid === undefined) return;
  const guard = spawn('/bin/sh', ['-c', `read -r _ || { ${KILL}; }`, String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  guard.stdin.on('error', () => undefined);
  // Not at `exit`: what the child has started may go on, and write, after it.
  child.once('close', () => guard.stdin.end('done\n'));
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Whether the process has ended, by itself or by a signal. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Settles when the process has ended and all that it wrote has been read, at once if that was before. */
export function exitOf(child: ChildProcess): Promise<ExitStatus> {
  const isRead = child.stdio.every((stream) => stream?.closed ?? true);
  if (hasEnded(child) && isRead) {
    return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  }
  keepAlive(child, true);
  return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
}

function keepAlive(child: ChildProcess, on: boolean): void {
  const how = on ? 'ref' : 'unref';
  child[how]();
  // Pipes of children are sockets, which the types do not know.
  for (const stream of child.stdio) (stream as Socket | null)?.[how]();
}
