/** What `npm pack` gives to whoever writes a gateway: the client with its types, usable without the service. */
import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CleanUp } from '../support/clean-up';
import { ReplicaProcess } from '../support/replica-process';
import { startReplica, stopReplicas } from '../http/replica';

const ROOT = join(__dirname, '../..');
const { version, dependencies } = jest.requireActual<{
  version: string;
  dependencies: Record<string, string>;
}>('../../package.json');
/** What an installation has besides the package, for a compiler: the types of Node.js. */
const TYPES = ['@types/node', 'undici-types'];

const cleanUp = new CleanUp();
let folder: string;
let packed: string;

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'consumer-'));
  cleanUp.add(() => rmSync(folder, { recursive: true, force: true }));
  // Its scripts would build what `npm test` has built.
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: ROOT,
      encoding: 'utf8',
    }),
  ) as [{ filename: string }];
  run('tar', 'xf', filename);
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '@types'), { recursive: true });
  packed = join(modules, 'metadata-center');
  run('mv', 'package', packed);
  for (const name of [...Object.keys(dependencies), ...TYPES]) {
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  // As npm does with what `bin` names.
  mkdirSync(join(modules, '.bin'));
  const { bin } = JSON.parse(readFileSync(join(packed, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
  };
  for (const [name, target] of Object.entries(bin)) {
    chmodSync(join(packed, target), 0o755);
    symlinkSync(join('..', 'metadata-center', target), join(modules, '.bin', name));
  }
});

afterAll(async () => {
  await cleanUp.run();
  await stopReplicas();
});

const CONSUMER = `
import { MetadataCenter, MetadataCenterError, NoEngineError, type Booking, type EngineRow, type View } from 'metadata-center/client';

export async function gateway(replicas: string, signal?: AbortSignal): Promise<string> {
  const token: string | undefined = process.env['TOKEN'];
  const mc = new MetadataCenter({ replicas, token, timeoutMs: 5_000, batch: { maxEvents: 64 } });
  const view: View = mc.watch('m', { intervalMs: 20, signal });
  try {
    await using booking = await mc.select({ cluster: 'm', promptLength: 7, candidates: ['10.0.0.1', { ip: '10.0.0.2', credit: 5 }], signal });
    booking.firstToken();
    const other: Booking = mc.add({ cluster: 'm', ip: booking.engine });
    const least: EngineRow | undefined = view.pick({ of: 4 });
    other.end();
    return \`\${booking.engine} \${least?.queuedRequests ?? 0} \${view.ageMs >= 0}\`;
  } catch (error) {
    if (error instanceof NoEngineError) return 'none';
    if (error instanceof MetadataCenterError) return \`\${error.code} \${error.status} \${error.reason} \${error.traceId ?? ''}\`;
    throw error;
  } finally {
    await mc.flush();
    await mc.close();
  }
}
`;

const WRONG = `
import { MetadataCenter } from 'metadata-center/client';
const mc = new MetadataCenter({ replicas: 'a:1' });
mc.add({ cluster: 'm', ip: '10.0.0.1', promptLength: '7' });
mc.watch('m').rows[0]!.queued;
`;

/** One compilation for all: as a module, as CommonJS, and with mistakes. */
function compile(): string {
  const compilerOptions = {
    target: 'es2022',
    module: 'node16',
    moduleResolution: 'node16',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    types: ['node'],
  };
  const files = { 'as-module.mts': CONSUMER, 'as-commonjs.cts': CONSUMER, 'wrong.mts': WRONG };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: Object.keys(files) }),
  );
  for (const [name, source] of Object.entries(files)) writeFileSync(join(folder, name), source);
  try {
    return run(process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.');
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

/** Without blocking this process, which is the replica too. */
function outputOf(script: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const args = ['--input-type=module', '-e', script];
    execFile(process.execPath, args, { cwd: folder, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr, { cause: error }));
      else resolve(stdout.trim());
    });
  });
}

describe('the package', () => {
  it('is used by modules and by CommonJS, and its types refuse what is wrong', async () => {
    const errors = compile().trim().split('\n');
    expect(errors.map((line) => line.replace(/\(.*?error (TS\d+).*/, ' $1'))).toEqual([
      'wrong.mts TS2322',
      'wrong.mts TS2339',
    ]);
    const { port } = await startReplica();
    for (const file of ['as-module.mjs', 'as-commonjs.cjs']) {
      const script = `import { gateway } from './${file}'; console.log(await gateway('127.0.0.1:${port}'));`;
      expect([file, await outputOf(script)]).toEqual([
        file,
        expect.stringMatching(/^10\.0\.0\.[12] \d+ true$/),
      ]);
    }
  });

  it('has in its client no import of the service, and little weight', () => {
    const client = join(packed, 'dist/client');
    const files = readdirSync(client).filter((name) => name.endsWith('.js') || name.endsWith('.d.ts'));
    const names = files.flatMap((name) =>
      Array.from(
        readFileSync(join(client, name), 'utf8').matchAll(/(?:require\(|from |import\()['"]([^'"]+)['"]/g),
        ([, imported]) => imported!,
      ),
    );
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !/^\.\/|^node:|^eventsource-parser$/.test(name))).toEqual([]);
    const bytes = files
      .filter((name) => name.endsWith('.js'))
      .reduce((sum, name) => sum + statSync(join(client, name)).size, 0);
    process.stdout.write(
      `the client: ${files.length / 2} modules, ${Math.round(bytes / 1024)} KiB of JavaScript\n`,
    );
    expect(bytes).toBeLessThan(64 * 1024);
  });

  it('is a command of npx, which says its version, helps, checks, and runs a replica', async () => {
    expect(run('npx', '--no', '--', 'metadata-center', '--version')).toBe(`${version}\n`);
    // What npx runs.
    const main = join(folder, 'node_modules/.bin/metadata-center');
    expect(run(main, '--help')).toContain('metadata-center --check');
    expect(run(main, '--check')).toContain('configuration: ok\n');
    const replica = await cleanUp.use(ReplicaProcess.start({ main }), (it) => it.kill());
    expect(await replica.hasLogged('starting')).toMatchObject({ version });
  });

  it('is not to be imported as a whole, which would start a replica', async () => {
    await expect(outputOf(`import 'metadata-center';`)).rejects.toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  it('has nothing in it but what runs and what is to be read', () => {
    const top = readdirSync(packed).sort();
    expect(top).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'package.json']);
  });
});
