/** Cheap checks that what the docs promise exists: variables, files, headings and metrics. */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { configurationPage } from '../../src/command/help';
import { VARIABLES } from '../../src/config/variables';

const ROOT = join(__dirname, '../..');

function filesIn(folder: string, ending: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending))
    .map((path) => join(ROOT, folder, path));
}

const textOf = (path: string): string => readFileSync(path, 'utf8');
const sources = filesIn('src', '.ts').map(textOf).join('\n');
const docs = [
  ...readdirSync(ROOT)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(ROOT, name)),
  ...filesIn('docs', '.md'),
  ...filesIn('examples', '.md'),
];
const developerGuide = textOf(join(ROOT, 'docs/developing.md'));

/** As GitHub makes the anchor of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

function anchorsOf(path: string): string[] {
  const headings = textOf(path).matchAll(/^#{1,6} (.+)$/gm);
  return Array.from(headings, ([, heading]) => anchorOf(heading!.trim()));
}

/** What stands under a heading of the second level. */
function sectionOf(page: string, heading: string): string {
  return page.split(/^## /m).find((section) => section.startsWith(`${heading}\n`)) ?? '';
}

/** What is wrong with the links of a page to files and headings of this repository. */
function brokenLinks(page: string, text: string): string[] {
  const targets = Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, target]) => target!);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [file = '', anchor] = target.split('#');
      const path = file === '' ? page : join(dirname(page), file);
      if (!existsSync(path)) return true;
      return anchor !== undefined && statSync(path).isFile() && !anchorsOf(path).includes(anchor);
    })
    .map((target) => `${relative(ROOT, page)} links to ${target}`);
}

function unknownMetrics(text: string): string[] {
  const names = Array.from(text.matchAll(/\bmetacenter_\w+/g), ([name]) => name);
  const known = (name: string): boolean => sources.includes(`'${name}'`);
  return names.filter((name) => !known(name) && !known(name.replace(/_(bucket|sum|count)$/, '')));
}

describe('The docs', () => {
  it('list the variables as the code declares them: `npm run docs` makes the page', () => {
    const page = textOf(join(ROOT, 'docs/configuration.md'));
    expect(page).toBe(configurationPage());
    expect(page.match(/^\| `/gm)).toHaveLength(Object.keys(VARIABLES).length);
  });

  it('name no variable of this service that nothing reads', () => {
    const read = new Set(Object.keys(VARIABLES));
    const named = docs.flatMap((path) =>
      Array.from(textOf(path).matchAll(/\bMETA_?DATA_CENTER_[A-Z_]+\b/g), ([name]) => name),
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((name) => !read.has(name))).toEqual([]);
  });

  it.each(docs.map((path) => [relative(ROOT, path), path]))(
    '%s links only to files and headings that exist',
    (_name, path) => {
      expect(brokenLinks(path, textOf(path))).toEqual([]);
    },
  );

  it('say in the developer guide what is in each folder of the sources', () => {
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `src/${name}/`);
    expect(folders.filter((folder) => !developerGuide.includes(`| \`${folder}\` `))).toEqual([]);
  });

  it('say on each page whom it is for, in one folder; other addresses only point on', () => {
    const pages = filesIn('docs', '.md').map((path) => ({
      path: relative(join(ROOT, 'docs'), path),
      text: textOf(path),
    }));
    const [old, present] = [true, false].map((inside) =>
      pages.filter(({ path }) => path.includes('/') === inside),
    );
    expect(
      present!.filter(({ text }) => !/^# .*\n\nFor (those|a|whoever) /.test(text)).map(({ path }) => path),
    ).toEqual([]);
    expect(old!.map(({ path }) => path).sort()).toEqual(['developer/guide.md', 'en/api.md', 'en/guide.md']);
    expect(old!.filter(({ text }) => text.length > 500 || !text.includes('](../'))).toEqual([]);
  });

  it('have a README that is read in five minutes: 14 KB at most', () => {
    expect(statSync(join(ROOT, 'README.md')).size).toBeLessThanOrEqual(14 * 1024);
  });

  it('walk through the code, in the developer guide, by at most ten hops each and files that exist', () => {
    for (const walk of ['A report, from HTTP to every view', 'A lost event, from hole to repair']) {
      const hops = sectionOf(developerGuide, walk).match(/^\d+\. .*$/gm) ?? [];
      expect(hops.length).toBeGreaterThan(5);
      expect(hops.length).toBeLessThanOrEqual(10);
      const named = hops.map((hop) => Array.from(hop.matchAll(/`(src\/[^`]+)`/g), ([, path]) => path!));
      expect(named.every((paths) => paths.length > 0)).toBe(true);
      expect(named.flat().filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    }
  });

  it('explain at most twenty coined words', () => {
    const words = sectionOf(developerGuide, 'Glossary').match(/^\| \w/gm) ?? [];
    expect(words.length).toBeGreaterThan(5);
    expect(words.length - 1).toBeLessThanOrEqual(20);
  });

  it('name only metrics that exist', () => {
    expect(docs.flatMap((path) => unknownMetrics(textOf(path)))).toEqual([]);
  });

  it('explain every metric in the operations page', () => {
    const guide = textOf(join(ROOT, 'docs/operations.md'));
    const metrics = Array.from(sources.matchAll(/'(metacenter_\w+)'/g), ([, name]) => name!);
    expect(metrics.length).toBeGreaterThan(20);
    expect(metrics.filter((name) => !guide.includes(name))).toEqual([]);
  });

  it('list in the API reference exactly the error codes that are answered, and every route', () => {
    const api = textOf(join(ROOT, 'docs/api.md'));
    const table = /^### Errors$(.*?)^Any route /ms.exec(api)?.[1] ?? '';
    const documented = Array.from(table.matchAll(/^\| (\d{8}) /gm), ([, code]) => code!);
    const answered = Array.from(
      textOf(join(ROOT, 'src/http/errors.ts')).matchAll(/code: (\d{8})/g),
      ([, c]) => c!,
    );
    expect(documented.sort()).toEqual(answered.sort());
    const routes = filesIn('src/http/routes', '.ts').flatMap((path) =>
      Array.from(textOf(path).matchAll(/\b(?:json|add|serve)\('(\/[^']*)'/g), ([, route]) => route!),
    );
    expect(routes).toContain('/v1/load/stats');
    expect(routes.filter((route) => !api.includes(` ${route}\``) && !api.includes(`\`${route}\``))).toEqual(
      [],
    );
  });

  it.each(['[x](no-such-file.md)', '[x](README.md#no-such-heading)', '[x](#no-such-heading)'])(
    'are seen to be wrong by %s',
    (text) => {
      expect(brokenLinks(join(ROOT, 'README.md'), text)).toHaveLength(1);
    },
  );

  it('are seen to be wrong by a metric that does not exist', () => {
    expect(unknownMetrics('metacenter_no_such_total')).toEqual(['metacenter_no_such_total']);
    expect(unknownMetrics('metacenter_node_alive')).toEqual([]);
  });
});
