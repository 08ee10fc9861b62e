/** The Dockerfile, as far as it can be checked without an engine, and the image's health check against real replicas. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from '../support/certificates';
import { exitOf, killWithParent } from '../support/child-processes';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';
import { projectPath, readText } from './project-files';

const dockerfile = readText('Dockerfile');
const instructions = dockerfile
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line));
const all = (name: string): string[] =>
  instructions.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));

describe('Dockerfile', () => {
  it('pins its one base image to a full version', () => {
    expect(all('ARG')[0]).toMatch(/^NODE_IMAGE=node:\d+\.\d+\.\d+-\w+-slim$/);
    expect(all('FROM').map((from) => from.split(' ')[0])).toEqual([
      '${NODE_IMAGE}',
      '${NODE_IMAGE}',
      '${NODE_IMAGE}',
    ]);
  });

  it('runs node itself, as somebody who is not root', () => {
    expect(all('USER').at(-1)).toBe('1000:1000');
    expect(JSON.parse(all('ENTRYPOINT').at(-1)!)).toEqual([
      'node',
      '--max-semi-space-size=32',
      '/app/dist/main.js',
    ]);
    expect(all('EXPOSE')).toEqual(['8080 8081']);
  });

  it('copies only what .dockerignore lets through', () => {
    const letThrough = readText('.dockerignore').match(/(?<=^!).+$/gm)!;
    const copied = all('COPY')
      .filter((copy) => !copy.startsWith('--from='))
      .flatMap((copy) => copy.split(' ').slice(0, -1));
    for (const source of copied) {
      expect(existsSync(projectPath(source))).toBe(true);
      expect(letThrough.some((path) => source === path || source.startsWith(`${path}/`))).toBe(true);
    }
  });
});

describe('the health check of the image', () => {
  const cleanUp = new CleanUp();

  afterEach(() => cleanUp.run());

  const check = async (env: Readonly<Record<string, string>>): Promise<number | null> => {
    const program = projectPath('deploy/docker/healthcheck.js');
    const child = spawn(process.execPath, [program], { env, stdio: 'ignore', timeout: 60_000 });
    killWithParent(child);
    return (await exitOf(child)).code;
  };

  it('succeeds while the replica answers, and not while it hangs or is gone', async () => {
    const replica = await cleanUp.use(ReplicaProcess.start(), (it) => it.kill());
    const env = { HTTP_HOST: replica.host, HTTP_PORT: String(replica.port) };
    expect(await check(env)).toBe(0);
    replica.signal('SIGSTOP');
    expect(await check(env)).toBe(1);
    await replica.kill();
    expect(await check(env)).toBe(1);
  });

  it('asks on the loopback where the replica listens everywhere', async () => {
    const starting = ReplicaProcess.start({ env: { HTTP_HOST: '0.0.0.0' } });
    const replica = await cleanUp.use(starting, (it) => it.kill());
    expect(await check({ HTTP_PORT: String(replica.port) })).toBe(0);
    await replica.stop();
    expect(await check({ HTTP_PORT: String(await freePort()) })).toBe(1);
  });

  it('speaks TLS where the replica does', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'healthcheck-'));
    cleanUp.add(() => rmSync(folder, { recursive: true }));
    const files = {
      HTTP_TLS_CERT_FILE: join(folder, 'cert.pem'),
      HTTP_TLS_KEY_FILE: join(folder, 'key.pem'),
    };
    const { cert, key } = new CertificateAuthority().issue('replica.test');
    writeFileSync(files.HTTP_TLS_CERT_FILE, cert);
    writeFileSync(files.HTTP_TLS_KEY_FILE, key);
    const replica = await cleanUp.use(ReplicaProcess.launch({ env: files }), (it) => it.kill());
    const at = { HTTP_HOST: replica.host, HTTP_PORT: String(replica.port) };
    await until(async () => (await check({ ...at, ...files })) === 0, { describe: 'the check succeeds' });
    expect(await check(at)).toBe(1);
  });
});
