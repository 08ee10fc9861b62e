/** `npm start` as people and supervisors use it: a signal to npm alone, and Ctrl-C, which reaches the whole process group. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { exitOf, killWithParent } from '../support/child-processes';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { until } from '../support/until';

interface NpmStart {
  readonly npm: ChildProcessByStdio<null, Readable, Readable>;
  readonly output: () => string;
  readonly port: number;
}

const cleanUp = new CleanUp();

afterEach(() => cleanUp.run());

/** Whatever a failed test has left behind, also without npm. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}

async function npmStart(): Promise<NpmStart> {
  const port = await freePort();
  const npm = spawn('npm', ['start'], {
    cwd: join(__dirname, '../..'),
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: String(port),
      npm_config_update_notifier: 'false',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, as a shell gives to a command.
    detached: true,
  });
  killWithParent(npm);
  cleanUp.add(() => killGroup(npm.pid!));
  let text = '';
  for (const stream of [npm.stdout, npm.stderr])
    stream.on('data', (chunk: Buffer) => (text += String(chunk)));
  await until(() => text.includes('"msg":"started"'), {
    timeoutMs: 20_000,
    describe: () => `started: ${text}`,
  });
  return { npm, output: () => text, port };
}

async function stoppedCleanly({ npm, output, port }: NpmStart): Promise<void> {
  const { code } = await exitOf(npm);
  // Nobody holds the port: the replica has ended too, and is not left behind by npm.
  await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow('fetch failed');
  await until(() => output().includes('"msg":"stopped"'), { describe: () => `stopped: ${output()}` });
  expect(output().match(/"msg":"stopping"/g)).toHaveLength(1);
  expect(code).toBe(0);
}

it('SIGTERM to npm stops the replica in order, with exit code 0', async () => {
  const started = await npmStart();
  started.npm.kill('SIGTERM');
  await stoppedCleanly(started);
});

it('Ctrl-C, which reaches the replica from the terminal and from npm, stops it in order, with exit code 0', async () => {
  const started = await npmStart();
  process.kill(-started.npm.pid!, 'SIGINT');
  await stoppedCleanly(started);
});
