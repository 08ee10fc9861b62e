/** The API document as a page to read and to try: plain HTML, made once, without any other host. */
import { escapeHtml as esc, type Html } from './html';
import type { Operation } from './operations';
import { paths } from './paths';
import { schemas, type Schema } from './schemas';

export function docsPage(version: string): string {
  const all = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method, path, operation })),
  );
  const between = all.filter(({ operation }) => operation.tags.includes('between replicas'));
  const open = all.filter((each) => !between.includes(each));
  const list = (operations: typeof all): Html =>
    operations
      .map(
        ({ method, path }) =>
          `<li><a href="#${idOf(method, path)}">${badge(method)} <code>${esc(path)}</code></a></li>`,
      )
      .join('');
  const sections = (operations: typeof all): Html =>
    operations.map(({ method, path, operation }) => section(method, path, operation)).join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Metadata Center API</title>
<link rel="icon" href="/dashboard/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/dashboard/base.css">
<link rel="stylesheet" href="/dashboard/docs.css">
<script type="module" src="/dashboard/docs.js"></script>
</head>
<body>
<header class="top"><h1>Metadata Center <span class="muted">API ${esc(version)}</span></h1>
<nav aria-label="Pages"><a href="/">Dashboard</a> <a href="/openapi.json">openapi.json</a> <a href="/asyncapi.json">asyncapi.json</a></nav></header>
<div class="docs">
<nav aria-label="Operations"><ul class="contents">${list(open)}<li><a href="#between">Between replicas</a></li>${list(between)}<li><a href="#schemas">Schemas</a></li></ul></nav>
<main>
<p>JSON answers are wrapped: <code>{"status":"OK","error":null,"data":…,"trace_id":"…"}</code>, or <code>"status":"ERROR"</code>
with <code>error.code</code>, <code>message</code> and <code>reason</code>. Where tokens are configured, every route under
<code>/v1/</code> and <code>/log/</code> needs <code>Authorization: Bearer …</code>. <q>Send</q> makes a real call at this replica.</p>
<p><label>Token for these calls, where one is needed <input id="token" type="password" autocomplete="off"></label></p>
${sections(open)}
<h2 id="between">Between replicas</h2>
<p>Replicas call these of each other. They may change with any version.</p>
${sections(between)}
<h2 id="schemas">Schemas</h2>
${Object.entries(schemas)
  .map(
    ([name, schema]) =>
      `<section id="schema-${name}"><h3><code>${name}</code></h3>${describe(schema)}</section>`,
  )
  .join('\n')}
</main>
</div>
</body>
</html>
`;
}

function section(method: string, path: string, operation: Operation): Html {
  const parameters = (operation.parameters ?? []) as {
    name: string;
    required: boolean;
    description: string;
    schema: Schema;
  }[];
  const rows = parameters.map(
    ({ name, required, description, schema }) =>
      `<tr><th scope="row"><code>${esc(name)}</code>${required ? '' : ' <span class="muted">optional</span>'}</th><td>${typeOf(schema)}</td><td>${esc(description)}</td></tr>`,
  );
  const body = operation.requestBody as { description: string; content: Content } | undefined;
  const answers = Object.entries(
    operation.responses as Record<string, { description: string; content: Content }>,
  );
  return `<section id="${idOf(method, path)}">
<h3>${badge(method)} <code>${esc(path)}</code></h3>
<p>${esc(operation.summary)}.</p>
${operation.description ? `<p>${inlineCode(operation.description)}</p>` : ''}
${call(method, path, operation, body)}
${rows.length > 0 ? table(['Parameter', 'Type', ''], rows) : ''}
${body ? `<p>Body: ${contentType(body.content)}. ${esc(body.description)}</p>` : ''}
${table(
  ['Status', 'Answer', ''],
  answers.map(
    ([status, answer]) =>
      `<tr><th scope="row">${status}</th><td>${contentType(answer.content)}</td><td>${esc(answer.description)}</td></tr>`,
  ),
)}
</section>`;
}

type Content = Readonly<Record<string, { schema: Schema; example?: object }>>;

/** A command to be pasted into a shell where a replica runs, and a form that makes the same call from the page. */
function call(
  method: string,
  path: string,
  operation: Operation,
  body: { content: Content } | undefined,
): Html {
  if (operation.tags.includes('pages') || operation.tags.includes('between replicas')) return '';
  const endless = operation.tags.includes('streams');
  const example = body?.content['application/json']?.example;
  const query = JSON.stringify(operation.parameters ?? []).includes('"cluster"') ? '?cluster=qwen3' : '';
  const words = [
    `curl${endless ? ' -N' : ''}${method === 'get' ? '' : ` -X ${method.toUpperCase()}`} localhost:8080${path}${query}`,
    ...(example ? [`-d '${JSON.stringify(example)}'`] : []),
  ];
  const shell = `<pre><code>${esc(words.join(' \\\n  '))}</code></pre>`;
  if (endless) return shell;
  const text = example && esc(JSON.stringify(example, null, 2));
  const field = text
    ? `<label>Body <textarea name="body" rows="${text.split('\n').length}" spellcheck="false">${text}</textarea></label>`
    : '';
  return `${shell}
<form class="try" data-method="${method.toUpperCase()}"><label>Path <input name="path" value="${esc(path + query)}" spellcheck="false"></label>${field}<button>Send</button><pre hidden><output></output></pre></form>`;
}

/** What is interesting in an answer is the data inside the envelope. */
function contentType(content: Content): Html {
  const [[type, { schema }]] = Object.entries(content) as [[string, { schema: Schema }]];
  if (type !== 'application/json') return `<code>${esc(type)}</code>`;
  const { data } = (schema['properties'] ?? {}) as { data?: Schema };
  return data ? `data: ${typeOf(data)}` : typeOf(schema);
}

function describe(schema: Schema): Html {
  const text = schema.description === undefined ? '' : `<p>${inlineCode(schema.description)}</p>`;
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  const required = (schema['required'] ?? []) as string[];
  const rows = properties.map(
    ([name, property]) =>
      `<tr><th scope="row"><code>${esc(name)}</code>${required.includes(name) ? '' : ' <span class="muted">optional</span>'}</th><td>${typeOf(property)}</td><td>${inlineCode(property.description ?? '')}</td></tr>`,
  );
  return text + (rows.length > 0 ? table(['Member', 'Type', ''], rows) : '');
}

function typeOf(schema: Schema): Html {
  if (typeof schema['$ref'] === 'string') {
    const name = schema['$ref'].split('/').at(-1)!;
    return `<a href="#schema-${name}">${name}</a>`;
  }
  if ('const' in schema) return `<code>${esc(JSON.stringify(schema['const']))}</code>`;
  if (schema['type'] === 'array') return `array of ${typeOf(schema['items'] as Schema)}`;
  const type = schema['type'];
  const words = [
    (Array.isArray(type) ? (type as string[]).join(' or ') : String(type)) +
      (schema.format ? `, ${schema.format}` : ''),
  ];
  if ('minimum' in schema) {
    words.push(
      'maximum' in schema
        ? `${String(schema['minimum'])} to ${String(schema['maximum'])}`
        : `at least ${String(schema['minimum'])}`,
    );
  }
  if ('maxLength' in schema) words.push(`at most ${String(schema['maxLength'])} characters`);
  if ('default' in schema) words.push(`default ${String(schema['default'])}`);
  return esc(words.join(', '));
}

function table(heads: readonly string[], rows: readonly Html[]): Html {
  const cells = heads.map((head) => (head === '' ? '<td></td>' : `<th scope="col">${head}</th>`)).join('');
  return `<div class="scroll"><table><thead><tr>${cells}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

const badge = (method: string): Html => `<span class="method ${method}">${method.toUpperCase()}</span>`;
const idOf = (method: string, path: string): string => `${method}${path.replaceAll(/[^a-z]+/g, '-')}`;
const inlineCode = (text: string): Html => esc(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
