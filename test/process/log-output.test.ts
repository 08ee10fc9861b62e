/** A replica whose log nobody takes: it serves on, its memory is bounded, and stderr says so in one line. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { call } from '../http/client';
import { exitOf, hasEnded, killWithParent } from '../support/child-processes';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { until } from '../support/until';

const cleanUp = new CleanUp();
afterEach(() => cleanUp.run());

class Replica {
  stderr = '';
  private constructor(
    readonly child: ChildProcess,
    readonly port: number,
  ) {
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
  }

  static async start(stdout: 'pipe' | number): Promise<Replica> {
    const port = await freePort('127.0.0.1');
    const stdio: StdioOptions = ['ignore', stdout, 'pipe'];
    const env = { HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port), LOG_LEVEL: 'debug' };
    const child = spawn(process.execPath, [join(__dirname, '../../dist/main.js')], { stdio, env });
    killWithParent(child);
    const replica = new Replica(child, port);
    cleanUp.add(async () => {
      child.kill('SIGKILL');
      await exitOf(child);
    });
    await until(async () => hasEnded(child) || (await replica.isUp()), {
      describe: () => `it is up; ${replica.stderr}`,
    });
    return replica;
  }

  private isUp(): Promise<boolean> {
    return call(this.port, 'GET', '/healthz').then(
      () => true,
      () => false,
    );
  }

  async dropped(): Promise<number> {
    const { text } = await call(this.port, 'GET', '/metrics');
    return Number(/^metacenter_log_lines_dropped_total (\d+)/m.exec(text)?.[1]);
  }

  /** Each makes a line of about 400 bytes. */
  async requests(count: number): Promise<void> {
    const headers = { TraceId: 't'.repeat(256) };
    for (let i = 0; i < count; i += 20) {
      await Promise.all(Array.from({ length: 20 }, () => call(this.port, 'GET', '/healthz', { headers })));
    }
  }
}

const ONE_LINE = /^log lines are dropped: .+\n$/;

it('serves on with stdout full, and says so in one line (I7)', async () => {
  const replica = await Replica.start(openSync('/dev/full', 'w'));
  await replica.requests(20);
  expect(await replica.dropped()).toBeGreaterThan(20);
  expect(replica.stderr).toMatch(ONE_LINE);
  expect(replica.stderr).toContain('ENOSPC');
});

it('serves on with the reader of stdout gone, and says so in one line (I7)', async () => {
  const replica = await Replica.start('pipe');
  replica.child.stdout!.destroy();
  await replica.requests(40);
  expect(await replica.dropped()).toBeGreaterThan(20);
  await until(() => replica.stderr !== '', { describe: 'stderr says so' });
  expect(replica.stderr).toMatch(ONE_LINE);
});

it('serves on with the reader of stderr gone too (I7)', async () => {
  const replica = await Replica.start('pipe');
  replica.child.stdout!.destroy();
  replica.child.stderr!.destroy();
  await replica.requests(40);
  expect(await replica.dropped()).toBeGreaterThan(20);
});

it('keeps a bounded number of lines for a reader that stalls, and goes on when it reads again (I7)', async () => {
  const replica = await Replica.start('pipe');
  await until(
    async () => {
      await replica.requests(500);
      return (await replica.dropped()) > 0;
    },
    { timeoutMs: 60_000, describe: 'lines are dropped' },
  );
  expect(replica.stderr).toMatch(ONE_LINE);
  const dropped = await replica.dropped();
  let text = '';
  replica.child.stdout!.setEncoding('utf8').on('data', (more: string) => (text += more));
  // What waited comes whole; then the log goes on.
  await until(async () => (await replica.requests(20), text.endsWith('"msg":"request"}\n')), {
    describe: 'the log goes on',
  });
  const waited = text.length;
  expect(waited).toBeLessThan(1.5 * 1024 * 1024);
  await replica.requests(20);
  await until(() => text.length > waited, { describe: 'new lines come' });
  expect(await replica.dropped()).toBeGreaterThanOrEqual(dropped);
  for (const line of text.split('\n').slice(0, -1)) expect(() => void JSON.parse(line)).not.toThrow();
});
