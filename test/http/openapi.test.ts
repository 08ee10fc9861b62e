/** The document that the service publishes: it is valid, and describes the routes that there are, no more and no fewer. */
import { execFileSync } from 'node:child_process';
import { call, post } from './client';
import { assertConforms } from './conformance';
import { startRecorded } from './recorded-routes';
import { stopReplicas } from './replica';

/** Files that the page at `/` consists of. */
const PART_OF_PAGE = /^\/dashboard\//;

let port: number;
let routes: readonly string[];

beforeAll(async () => {
  const { replica, paths } = await startRecorded();
  port = replica.port;
  routes = paths;
});

afterAll(stopReplicas);

interface ApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: unknown }>>>>;
}

/** The validator is an ES module, which tests cannot load: it runs as a program of its own. */
function validate(json: string): string {
  const script = `
    import { Validator } from '@seriousme/openapi-schema-validator';
    import { readFileSync } from 'node:fs';
    const { valid, errors } = await new Validator().validate(JSON.parse(readFileSync(0, 'utf8')));
    console.log(valid ? 'valid' : JSON.stringify(errors));`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    input: json,
    timeout: 60_000,
  })
    .toString()
    .trim();
}

async function published(): Promise<ApiDocument> {
  return JSON.parse((await call(port, 'GET', '/openapi.json')).text) as ApiDocument;
}

describe('the API document', () => {
  it('is valid OpenAPI 3.1', async () => {
    expect(validate(JSON.stringify(await published()))).toBe('valid');
    expect(validate(JSON.stringify({ ...(await published()), info: undefined }))).toContain('info');
    expect((await published()).openapi).toMatch(/^3\.1\./);
  });

  it('names routes that are there, with exactly the methods that they have', async () => {
    for (const [path, operations] of Object.entries((await published()).paths)) {
      const { headers } = await call(port, 'OPTIONS', path);
      const methods = Object.keys(operations).map((method) => method.toUpperCase());
      const allowed = String(headers['allow']).split(', ');
      expect([path, allowed.filter((method) => method !== 'HEAD' && method !== 'OPTIONS')]).toEqual([
        path,
        methods,
      ]);
    }
  });

  it('names every route but the parts of the page, and none besides', async () => {
    const documented = Object.keys((await published()).paths);
    expect(documented.sort()).toEqual(routes.filter((path) => !PART_OF_PAGE.test(path)).sort());
  });

  it('names each operation, once, for clients that are generated from it', async () => {
    const { paths } = await published();
    const ids = Object.values(paths)
      .flatMap((operations) => Object.values(operations))
      .map((operation) => (operation as { operationId?: string }).operationId);
    for (const id of ids) expect(id).toMatch(/^[a-z]+(?:[A-Z][a-z]+)+$/);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('says of every operation with a body what any body may be refused for', async () => {
    const { paths } = await published();
    const withBody = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations)
        .filter(([, operation]) => 'requestBody' in operation)
        .map(([method, operation]) => [`${method} ${path}`, JSON.stringify(operation.responses)] as const),
    );
    expect(withBody.length).toBeGreaterThan(5);
    for (const [name, responses] of withBody) {
      for (const code of [40001400, 40101001, 40301000, 41301000, 41501000])
        expect([name, responses]).toEqual([name, expect.stringContaining(`${code}: `)]);
    }
  });

  it('would not be conformed to by other answers', async () => {
    await post(port, { cluster: 'c', request_id: 'r', ip: '10.0.0.1' });
    const { text } = await call(port, 'GET', '/v1/load/stats?cluster=c');
    const check = (status: number, body: string) => () =>
      assertConforms('GET', '/v1/load/stats?cluster=c', status, 'application/json', body);
    expect(check(200, text)).not.toThrow();
    expect(check(200, text.replace('"ip"', '"address"'))).toThrow('ip');
    expect(check(200, text.replace('"queued_req_num":1', '"queued_req_num":-1'))).toThrow('queued_req_num');
    expect(check(204, text)).toThrow('not documented');
  });
});

describe('/docs', () => {
  it('shows every operation and loads nothing from elsewhere', async () => {
    const { text, headers } = await call(port, 'GET', '/docs');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    for (const path of Object.keys((await published()).paths)) expect(text).toContain(`<code>${path}</code>`);
    expect(text).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(text).not.toMatch(/<script(?! type="module" src="\/dashboard\/docs.js"><\/script>)/);
  });

  it('shows a call of each operation with a body that the service takes, and what replicas say to each other apart', async () => {
    const { text } = await call(port, 'GET', '/docs');
    const shown = text.replaceAll('&quot;', '"');
    let calls = 0;
    for (const [path, operations] of Object.entries((await published()).paths)) {
      expect(text.indexOf(`${path}</code></h3>`) > text.indexOf('<h2 id="between">')).toBe(
        path.startsWith('/v1/replica/'),
      );
      for (const [method, operation] of Object.entries(operations)) {
        if (!('requestBody' in operation)) continue;
        const { content } = operation.requestBody as { content: Record<string, { example: object }> };
        const example = JSON.stringify(content['application/json']!.example);
        expect(shown).toContain(`-d '${example}'`);
        const answer = await call(port, method.toUpperCase(), path, { body: example });
        expect([method, path, answer.text]).not.toEqual([method, path, expect.stringContaining('40001400')]);
        calls++;
      }
    }
    expect(calls).toBeGreaterThan(8);
  });
});
