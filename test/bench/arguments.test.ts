/** The demo and the bench as commands: what they say of themselves, and what they refuse before anything is started. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CleanUp } from '../support/clean-up';

const ROOT = join(__dirname, '../..');
const cleanUp = new CleanUp();
let folder: string;

beforeAll(() => {
  // Inside the project, where its packages are found.
  folder = mkdtempSync(join(ROOT, 'bench/build-'));
  cleanUp.add(() => rmSync(folder, { recursive: true, force: true }));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', 'bench', '--outDir', folder, '--noCheck'];
  expect(spawnSync(process.execPath, args, { cwd: ROOT }).status).toBe(0);
});

afterAll(() => cleanUp.run());

function run(main: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'bench', main), ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

describe.each([
  ['demo/main.js', ['minutes', 'engines', 'rate', 'seed', 'kill-every']],
  ['main.js', ['only', 'rounds', 'json']],
])('bench/%s', (main, options) => {
  it('says with --help what there is, with the defaults, and starts nothing', () => {
    const { status, stdout, stderr } = run(main, '--help');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const option of options) expect(stdout).toMatch(new RegExp(`^ {2}--${option} .*\\(.+\\)$`, 'm'));
  });

  it('refuses what it does not know, and starts nothing (I8)', () => {
    for (const args of [['--no-such'], ['2'], [`--${options[0]!}=no`]]) {
      const { status, stdout, stderr } = run(main, ...args);
      expect([args, status, stdout]).toEqual([args, 2, '']);
      expect(stderr).toContain('--help');
    }
  });
});
