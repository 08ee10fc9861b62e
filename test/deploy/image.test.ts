/** The Dockerfile, as far as it can be checked without an engine, and the image's health check against real replicas. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from '../support/certificates';
import { exitOf, killWithParent } from '../support/child-processes';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';
import { Program, describeWith } from './programs';
import { projectPath, readText } from './project-files';

const dockerfile = readText('Dockerfile');
const instructions = dockerfile
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line));
const all = (name: string): string[] =>
  instructions.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
const debian = new Program('dpkg', [], ['--version']);

describe('Dockerfile', () => {
  it('pins its one base image to a full version, and ends with an empty one', () => {
    expect(all('ARG')[0]).toMatch(/^NODE_IMAGE=node:\d+\.\d+\.\d+-\w+-slim$/);
    expect(all('FROM')).toEqual([
      '${NODE_IMAGE} AS npm',
      'npm AS build',
      'npm AS production',
      '${NODE_IMAGE} AS root',
      'scratch',
    ]);
    // What needs a shell would fail there.
    expect(
      instructions.slice(instructions.indexOf('FROM scratch')).filter((line) => /^RUN /.test(line)),
    ).toEqual([]);
  });

  it('installs with the authority of a proxy in the way, which is in no layer', () => {
    expect(all('ENV')[0]).toBe('NODE_EXTRA_CA_CERTS=/run/secrets/ca');
    const installs = all('RUN').filter((run) => run.includes('npm ci'));
    expect(installs).toHaveLength(2);
    for (const install of installs) expect(install).toMatch(/^--mount=type=secret,id=ca npm ci /);
  });

  it('runs node itself, as somebody who is not root', () => {
    expect(all('USER').at(-1)).toBe('1000:1000');
    expect(JSON.parse(all('ENTRYPOINT').at(-1)!)).toEqual([
      'node',
      '--max-semi-space-size=32',
      '--v8-pool-size=0',
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

describeWith(debian, 'Debian around')('deploy/docker/make-root.sh', () => {
  const folder = mkdtempSync(join(tmpdir(), 'root-'));
  const root = join(folder, 'root');
  const node = execFileSync('sh', ['-c', 'command -v node'], { encoding: 'utf8' }).trim();

  beforeAll(() => {
    execFileSync(projectPath('deploy/docker/make-root.sh'), [root]);
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  it('leaves nothing to run but node and the libraries that it loads: no shell, no package manager', () => {
    const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter(
      (file) => !file.isDirectory(),
    );
    const toRun = files
      .filter(({ parentPath, name }) => statSync(join(parentPath, name)).mode & 0o111)
      .map(({ name }) => name)
      .filter((name) => !/^(lib|ld-).*\.so/.test(name));
    expect(toRun).toEqual(['node']);
  });

  it('has all that node needs: it finds names, runs threads and writes to /tmp there', () => {
    // As Docker and Kubernetes do.
    writeFileSync(join(root, 'etc/hosts'), '127.0.0.9 replica.test\n');
    const program = `
      require('node:fs').mkdirSync('/tmp/written');
      new (require('node:worker_threads').Worker)('', { eval: true }).on('exit', () => {
        require('node:dns').lookup('replica.test', (_error, address) => console.log(address));
      });`;
    const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
    const command = [...asRoot, '--root', root, node, '-e', program];
    expect(execFileSync('unshare', command, { encoding: 'utf8', env: {} })).toBe('127.0.0.9\n');
  });

  it('records the packages of what it copied, and their licences', () => {
    const packages = readdirSync(join(root, 'var/lib/dpkg/status.d'));
    expect(packages).toContain('libc6');
    for (const name of packages) {
      expect(readFileSync(join(root, 'var/lib/dpkg/status.d', name), 'utf8')).toMatch(/^Version: /m);
      expect(existsSync(join(root, 'usr/share/doc', name, 'copyright'))).toBe(true);
    }
  });
});

describe('the health check of the image', () => {
  const cleanUp = new CleanUp();

  afterEach(() => cleanUp.run());

  const check = async (env: Readonly<Record<string, string>>, ...args: string[]): Promise<number | null> => {
    const program = projectPath('deploy/docker/healthcheck.js');
    const child = spawn(process.execPath, [program, ...args], { env, stdio: 'ignore', timeout: 60_000 });
    killWithParent(child);
    return (await exitOf(child)).code;
  };

  it('succeeds while the replica answers, and not while it hangs or is gone', async () => {
    const replica = await cleanUp.use(ReplicaProcess.start(), (it) => it.kill());
    const env = { HTTP_HOST: replica.host, HTTP_PORT: String(replica.port) };
    expect(await check(env)).toBe(0);
    expect(await check(env, '/readyz')).toBe(0);
    expect(await check(env, '/nowhere')).toBe(1);
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
