/** Real files, swapped in the ways in which editors, Kubernetes and mistakes do it. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WatchedFiles } from '../../src/security/watched-files';
import { until } from '../support/until';

let folder: string;
let used: string[][];
let said: string[];
let files: WatchedFiles;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'watched-'));
  used = [];
  said = [];
});

afterEach(() => {
  files.stop();
  rmSync(folder, { recursive: true, force: true });
});

const path = (name: string): string => join(folder, name);

function watch(...names: string[]): WatchedFiles {
  // A look that is under way when its test has ended tells nothing to the next one.
  const [usedHere, saidHere] = [used, said];
  files = new WatchedFiles(
    names.map(path),
    {
      use: (contents) => {
        const texts = contents.map(String);
        if (texts.includes('bad')) throw new Error('is bad');
        usedHere.push(texts);
      },
      changed: () => saidHere.push('changed'),
      unusable: (reason) => saidHere.push(reason),
    },
    10,
  );
  return files;
}

/** At once, without a moment at which the file is empty. */
function replace(name: string, content: string): void {
  writeFileSync(path('new'), content);
  renameSync(path('new'), path(name));
}

const saidLast = (what: string | RegExp): Promise<true> =>
  until(() => new RegExp(what).test(said.at(-1) ?? ''), {
    describe: () => `${String(what)} after ${said.join()}`,
  });

it('are used at the start, and again when one of them is overwritten, in length or not', async () => {
  writeFileSync(path('a'), 'a1');
  writeFileSync(path('b'), 'b1');
  const watched = watch('a', 'b');
  watched.load();
  watched.start();
  writeFileSync(path('b'), 'b2');
  await saidLast('changed');
  expect(used).toEqual([
    ['a1', 'b1'],
    ['a1', 'b2'],
  ]);
});

it('are followed through the symbolic links that Kubernetes swaps', async () => {
  for (const version of ['1', '2']) {
    mkdirSync(path(`..v${version}`));
    writeFileSync(path(`..v${version}/tokens`), `token-${version}`);
  }
  symlinkSync('..v1', path('..data'));
  symlinkSync('..data/tokens', path('tokens'));
  const watched = watch('tokens');
  watched.load();
  watched.start();
  symlinkSync('..v2', path('..data_tmp'));
  renameSync(path('..data_tmp'), path('..data'));
  rmSync(path('..v1'), { recursive: true });
  await saidLast('changed');
  expect(used).toEqual([['token-1'], ['token-2']]);
});

it('keep what they held when they become bad or vanish, say so once, and are used when they are good again', async () => {
  writeFileSync(path('a'), 'good');
  const watched = watch('a');
  watched.load();
  watched.start();
  replace('a', 'bad');
  await saidLast('is bad');
  unlinkSync(path('a'));
  await saidLast('ENOENT');
  replace('a', 'x'.repeat(1024 * 1024 + 1));
  await saidLast('larger than 1 MiB');
  expect(used).toEqual([['good']]);
  replace('a', 'better');
  await saidLast('changed');
  expect(used).toEqual([['good'], ['better']]);
  expect(said).toHaveLength(4);
});

it('are not used while they are being written', async () => {
  writeFileSync(path('a'), 'whole');
  const watched = watch('a');
  watched.load();
  watched.start();
  let parts = 0;
  let writing = true;
  const write = (): void => {
    if (!writing) return;
    replace('a', `part ${++parts}`);
    setImmediate(write);
  };
  write();
  await until(() => parts > 500, { describe: 'it was written anew between any two looks' });
  writing = false;
  expect(used).toEqual([['whole']]);
  replace('a', 'done');
  await until(() => used.at(-1)?.[0] === 'done', {
    describe: () => `the last content is used: ${used.join()}`,
  });
});

it('must be there and good at the start', () => {
  expect(() => watch('nowhere').load()).toThrow('ENOENT');
  writeFileSync(path('a'), 'bad');
  expect(() => watch('a').load()).toThrow('is bad');
});
