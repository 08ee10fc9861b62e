/**
 * Checks Kubernetes objects against the API's own schemas, without a cluster: each is compiled as a literal of its type,
 * which finds unknown fields and wrong types, and run through the validator made from the API's OpenAPI document.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import ts from 'typescript';

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

/** `apps/v1` is `kubernetes-models/apps/v1`, `v1` is `kubernetes-models/v1`, and the operator has a package of its own. */
function moduleOf(apiVersion: string): string {
  const operator = apiVersion.startsWith('monitoring.coreos.com/');
  return `${operator ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models'}/${apiVersion}`;
}

/** Human-readable, empty when all is well. */
export function typeErrors(objects: readonly KubernetesObject[]): string[] {
  const path = join(__dirname, 'rendered-objects.ts');
  const text = objects
    .map((object, index) => {
      const { apiVersion, kind, metadata } = object;
      const type = `import('${moduleOf(apiVersion)}').I${kind}`;
      return `// ${kind} ${metadata.name}\nexport const object${index}: ${type} = ${JSON.stringify(object, null, 1)};\n`;
    })
    .join('');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
  };
  const files = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...files,
    fileExists: (name) => name === path || files.fileExists(name),
    getSourceFile: (name, language, ...rest) =>
      name === path
        ? ts.createSourceFile(name, text, language)
        : files.getSourceFile(name, language, ...rest),
  };
  const program = ts.createProgram([path], options, host);
  const lines = text.split('\n');
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const line = file?.fileName === path ? file.getLineAndCharacterOfPosition(start).line : 0;
    const object = lines.slice(0, line + 1).findLast((each) => each.startsWith('// '));
    return `${object}: ${lines[line]?.trim()}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

interface Validator {
  new (data: unknown): { validate(): void };
}

export function schemaErrors(objects: readonly KubernetesObject[]): string[] {
  const load = createRequire(__filename);
  const errors: string[] = [];
  for (const object of objects) {
    const { apiVersion, kind, metadata } = object;
    const models = load(moduleOf(apiVersion)) as Readonly<Record<string, Validator>>;
    try {
      new models[kind]!(object).validate();
    } catch (error) {
      errors.push(`${kind} ${metadata.name}: ${String(error)}`);
    }
  }
  return errors;
}
