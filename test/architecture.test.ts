import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

const SRC = join(__dirname, '..', 'src');

interface SourceFile {
  readonly path: string;
  readonly imports: readonly string[];
  /** Identifiers that are not member names: `Date` in `Date.now()`, not in `x.Date`. */
  readonly names: ReadonlySet<string>;
}

const files: SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => read(join(SRC, path)));

function read(path: string): SourceFile {
  return inspect(relative(SRC, path), readFileSync(path, 'utf8'));
}

function inspect(path: string, text: string): SourceFile {
  const imports: string[] = [];
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      imports.push((node.moduleSpecifier as ts.StringLiteral).text);
    } else if (ts.isExternalModuleReference(node) && ts.isStringLiteral(node.expression)) {
      imports.push(node.expression.text);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      imports.push((node.argument.literal as ts.StringLiteral).text);
    } else if (ts.isCallExpression(node) && isImportCall(node.expression)) {
      const [argument] = node.arguments;
      imports.push(argument && ts.isStringLiteral(argument) ? argument.text : '(computed)');
    } else if (ts.isIdentifier(node) && !isMemberName(node)) {
      names.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return { path, imports, names };
}

function isImportCall(callee: ts.Expression): boolean {
  return (
    callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
  );
}

function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    (ts.isPropertyAssignment(parent) && parent.name === node) ||
    ((ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent)) && parent.name === node)
  );
}

function importersOf(...modules: string[]): string[] {
  return files
    .filter(({ imports }) => imports.some((name) => modules.includes(name)))
    .map(({ path }) => path);
}

/** What a pure file must not name: clocks, randomness, timers, output, the process and other ways out of the language. */
const IMPURE = [
  'Date',
  'performance',
  'process',
  'console',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'crypto',
  'fetch',
  'Buffer',
  'globalThis',
  'global',
  'eval',
  'Function',
];

/** The index of the prefix cache: pure like the core, and built on it. */
const PURE_CACHE_FILES = ['cache-index', 'half-sip-hash', 'prefix-hashes', 'recency'].map(
  (name) => `cache/${name}.ts`,
);

/** Of the client: its decisions, to which the time and chance are arguments. */
const PURE_CLIENT_FILES = [
  'answers',
  'engine-row',
  'errors',
  'own-reports',
  'rendezvous',
  'replica-choice',
  'report-queue',
].map((name) => `client/${name}.ts`);

function faultsOfPureFile({ path, imports, names }: SourceFile, text: string): string[] {
  const allowed = path.startsWith('cache/') ? /^(?:\.|\.\.\/core)\/[a-z0-9-]+$/ : /^\.\/[a-z0-9-]+$/;
  const faults = imports.filter((name) => !allowed.test(name)).map((name) => `${path} imports ${name}`);
  for (const name of IMPURE) if (names.has(name)) faults.push(`${path} names ${name}`);
  if (/\bMath\s*(\.\s*random|\[)/.test(text)) faults.push(`${path} uses Math.random`);
  return faults;
}

describe('Architecture', () => {
  it('rule 1: the core imports only itself, and names no clock, randomness, timer, log or process', () => {
    const core = files.filter(({ path }) => path.startsWith('core/'));
    expect(core.length).toBeGreaterThan(0);
    const faults = core.flatMap((file) => faultsOfPureFile(file, readFileSync(join(SRC, file.path), 'utf8')));
    expect(faults).toEqual([]);
  });

  it('rule 1 holds for the index of the prefix cache, which imports the core besides', () => {
    const pure = files.filter(({ path }) => PURE_CACHE_FILES.includes(path));
    expect(pure).toHaveLength(PURE_CACHE_FILES.length);
    const faults = pure.flatMap((file) => faultsOfPureFile(file, readFileSync(join(SRC, file.path), 'utf8')));
    expect(faults).toEqual([]);
  });

  it('rule 1 holds for the decisions of the client, which import one another only', () => {
    const pure = files.filter(({ path }) => PURE_CLIENT_FILES.includes(path));
    expect(pure).toHaveLength(PURE_CLIENT_FILES.length);
    const faults = pure.flatMap((file) => faultsOfPureFile(file, readFileSync(join(SRC, file.path), 'utf8')));
    expect(faults).toEqual([]);
    for (const { path, imports } of pure)
      expect([
        path,
        imports.filter((name) => !PURE_CLIENT_FILES.includes(name.replace('./', 'client/') + '.ts')),
      ]).toEqual([path, []]);
  });

  it('the client imports nothing of the service, and the service nothing of the client', () => {
    const client = files.filter(({ path }) => path.startsWith('client/'));
    expect(client.length).toBeGreaterThan(10);
    const outside = client.flatMap(({ imports }) => imports.filter((name) => !/^\.\/[a-z0-9-]+$/.test(name)));
    expect(new Set(outside)).toEqual(
      new Set([
        'node:crypto',
        'node:dns/promises',
        'node:events',
        'node:net',
        'node:timers/promises',
        'eventsource-parser',
      ]),
    );
    const service = files.filter(({ path }) => !path.startsWith('client/'));
    const used = service.filter(({ imports }) =>
      imports.some((name) => /(^|\/)client(\/|$)/.test(name) || name === 'eventsource-parser'),
    );
    expect(used.map(({ path }) => path)).toEqual([]);
  });

  it.each([
    ["import { x } from 'node:fs';", 'core/a.ts imports node:fs'],
    ["import type { x } from '../bus/bus';", 'core/a.ts imports ../bus/bus'],
    ["import type { x } from '../cache/recency';", 'core/a.ts imports ../cache/recency'],
    ["export * from 'pino';", 'core/a.ts imports pino'],
    ["import x = require('pino');", 'core/a.ts imports pino'],
    ["const x = require('./' + name);", 'core/a.ts imports (computed)'],
    ["const x = await import('pino');", 'core/a.ts imports pino'],
    ["type X = import('pino').Logger;", 'core/a.ts imports pino'],
    ['const now = Date.now();', 'core/a.ts names Date'],
    ['const x = Math.random();', 'core/a.ts uses Math.random'],
    ['setTimeout(x, 5);', 'core/a.ts names setTimeout'],
  ])('rule 1 is seen to be broken by %s', (text, fault) => {
    expect(faultsOfPureFile(inspect('core/a.ts', text), text)).toContain(fault);
  });

  it('rule 2: one file imports the NATS client, and one resolves DNS', () => {
    expect(importersOf('nats').filter((path) => !path.startsWith('bus/'))).toEqual([]);
    expect(importersOf('nats').length).toBeLessThanOrEqual(1);
    // The client is no part of the service, and has one of its own.
    const resolvers = importersOf('dns', 'dns/promises', 'node:dns', 'node:dns/promises');
    expect(resolvers.filter((path) => !path.startsWith('client/')).length).toBeLessThanOrEqual(1);
    expect(resolvers.filter((path) => path.startsWith('client/')).length).toBeLessThanOrEqual(1);
  });

  it('rule 2: only the entry and the config name the process', () => {
    const allowed = (path: string): boolean => path === 'main.ts' || path.startsWith('config/');
    const users = files.filter(
      ({ names, imports }) => names.has('process') || imports.some((name) => /^(node:)?process$/.test(name)),
    );
    expect(users.map(({ path }) => path).filter((path) => !allowed(path))).toEqual([]);
  });

  it('rule 7: no folder or file is named utils, helpers or common', () => {
    const vague = /(^|[/.-])(utils?|helpers?|commons?|misc|shared)([/.-]|$)/;
    expect(files.map(({ path }) => path).filter((path) => vague.test(path))).toEqual([]);
  });

  it('rule 9: files are named in kebab-case', () => {
    expect(
      files.map(({ path }) => path).filter((path) => !/^([a-z0-9-]+\/)*[a-z0-9-]+(\.dto)?\.ts$/.test(path)),
    ).toEqual([]);
  });
});
