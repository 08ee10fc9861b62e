/** `metadata-center` as a command, as it is run. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { VARIABLES } from '../../src/config/variables';
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess } from '../support/nats-server';

const MAIN = join(__dirname, '../../dist/main.js');
const cleanUp = new CleanUp();

afterEach(() => cleanUp.run());

interface Ended {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, ...args],
      { env: { PATH: process.env['PATH'], ...env } },
      (error, stdout, stderr) => {
        resolve({ code: error ? error.code : 0, stdout, stderr });
      },
    );
  });
}

describe('metadata-center', () => {
  it('--help names every variable, and ends', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    expect(Object.keys(VARIABLES).filter((name) => !stdout.includes(`\n  ${name}  `))).toEqual([]);
    expect(stdout.split('\n').filter((line) => line.length > 130)).toEqual([]);
  });

  it('--version says that of the package', async () => {
    const { version } = jest.requireActual<{ version: string }>('../../package.json');
    expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each([['--no-such'], ['start'], ['--check=yes']])(
    'refuses %s, and starts nothing (I8)',
    async (argument) => {
      const { code, stdout, stderr } = await run([argument]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain(argument.split('=')[0]);
      expect(stderr).toContain('--help');
    },
  );
});

describe('metadata-center --check', () => {
  it('finds a NATS that lets it in, and a name that has addresses', async () => {
    const nats = await cleanUp.use(NatsServerProcess.start(), (it) => it.stop());
    const env = { NATS_URL: nats.url, META_DATA_CENTER_SVC_DISC_HOST: 'localhost' };
    const { code, stdout } = await run(['--check'], env);
    expect(stdout).toMatch(/^configuration: ok\nNATS: connected to .*\nDNS: localhost is 127\.0\.0\.1/);
    expect(code).toBe(0);
  });

  it('fails where NATS refuses, and where the name has no address, and says both', async () => {
    const env = { NATS_URL: 'nats://127.0.0.9:1', META_DATA_CENTER_SVC_DISC_HOST: 'no-such.invalid' };
    const { code, stdout } = await run(['--check'], env);
    expect(stdout).toMatch(/NATS: 127\.0\.0\.9:1: .*ECONNREFUSED/);
    expect(stdout).toContain('DNS: no-such.invalid: ');
    expect(code).toBe(1);
  });

  it('fails where NATS does not let it read the reports', async () => {
    const config = `authorization { users: [{ user: u, password: p, permissions: { subscribe: "other.>" } }] }`;
    const nats = await cleanUp.use(NatsServerProcess.start({ config }), (it) => it.stop());
    const { code, stdout } = await run(['--check'], { NATS_URL: nats.url, NATS_USER: 'u', NATS_PASS: 'p' });
    expect(stdout).toMatch(/NATS: .*metadata-center\.load\.\*.* not permitted/);
    expect(code).toBe(1);
  });

  it('names every bad variable, and no secret', async () => {
    const { code, stderr } = await run(['--check'], { HTTP_PORT: 'x', NATS_URL: 'nats://u:hunter2@h:x' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/HTTP_PORT must be.*\n.*NATS_URL server 1/s);
    expect(stderr).not.toContain('hunter2');
  });
});
