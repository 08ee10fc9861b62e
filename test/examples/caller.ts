/** Who sends requests to a gateway, reads the stream, and may go away. */
import { request, type ClientRequest } from 'node:http';
import { spawn, type ChildProcess } from 'node:child_process';
import { exitOf, killWithParent } from '../support/child-processes';
import { until } from '../support/until';

export class Caller {
  status = 0;
  text = '';
  over = false;
  headers: Readonly<Record<string, string | string[] | undefined>> = {};
  private readonly req: ClientRequest;

  constructor(port: number, body: object, host = '127.0.0.1') {
    this.req = request({ host, port, method: 'POST', path: '/v1/chat/completions', agent: false }, (res) => {
      this.status = res.statusCode ?? 0;
      this.headers = res.headers;
      res.setEncoding('utf8').on('data', (text: string) => (this.text += text));
      res.on('close', () => (this.over = true));
      res.on('error', () => undefined);
    });
    this.req.on('error', () => (this.over = true));
    this.req.end(JSON.stringify(body));
  }

  go(): void {
    this.req.destroy();
  }

  async ended(): Promise<this> {
    await until(() => this.over, { describe: () => `the answer ends: ${this.status} ${this.text}` });
    return this;
  }
}

export interface Program {
  readonly child: ChildProcess;
  readonly output: () => string;
  stop(): Promise<unknown>;
}

/** A program of an example, with what it says. */
export function startProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
): Program {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    cwd,
    env: { PATH: process.env['PATH'], ...env },
  });
  killWithParent(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    child,
    output: () => output,
    stop: () => {
      child.kill('SIGTERM');
      return exitOf(child);
    },
  };
}
