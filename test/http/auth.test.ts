/** Who gets in: every route there is, with and without a token, and every spelling of a URL that might lead around the check. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call, callJson, RawConnection } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';
import { startRecorded } from './recorded-routes';
import { until } from '../support/until';

/** A route that is in neither group must be put here, or moved, on purpose. */
const OPEN = new Set(['/healthz', '/readyz', '/metrics', '/', '/docs', '/openapi.json', '/asyncapi.json']);
const isOpen = (path: string): boolean => OPEN.has(path) || path.startsWith('/dashboard/');
const GUARDED = /^\/(v1|log)\//;
const METHODS = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PUT', 'PATCH', 'TRACE'];

let paths: readonly string[];
let replica: Replica;
let port: number;

beforeAll(async () => {
  ({ replica, paths } = await startRecorded({
    METADATA_CENTER_AUTH_TOKENS: 'token-1,token-2',
    METADATA_CENTER_PEER_TOKEN: 'token-of-peers',
  }));
  port = replica.port;
});

afterAll(stopReplicas);

const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });
const guarded = (): string[] => paths.filter((path) => GUARDED.test(path));

describe('with tokens set', () => {
  it('every route is either guarded or known to be open', () => {
    expect(paths.filter((path) => !GUARDED.test(path) && !isOpen(path))).toEqual([]);
    expect(guarded()).toEqual(
      expect.arrayContaining(['/v1/load/stats', '/v1/load/prompt', '/log/level', '/v1/replica/snapshot']),
    );
  });

  it('no guarded route answers any method without a token, and the answer says what is missing', async () => {
    // With the slash it is express that finds the route.
    for (const path of guarded().flatMap((each) => [each, `${each}/`])) {
      for (const method of METHODS.filter((each) => each !== 'HEAD')) {
        const answer = await callJson(port, method, path);
        expect([path, method, answer.code]).toEqual([path, method, 40101001]);
        expect(answer.headers['www-authenticate']).toBe('Bearer');
      }
      expect((await call(port, 'HEAD', path)).status).toBe(401);
    }
  });

  it('every guarded route answers something else with each of the tokens', async () => {
    for (const path of guarded()) {
      for (const token of ['token-1', 'token-2', 'token-of-peers']) {
        const { status } = await call(port, 'PATCH', path, { headers: bearer(token) });
        expect([path, status]).toEqual([path, 405]);
      }
    }
  });

  it('the open routes need none, and ignore a wrong one', async () => {
    for (const path of paths.filter(isOpen)) {
      expect((await call(port, 'GET', path)).status).toBe(200);
      expect((await call(port, 'GET', path, { headers: bearer('wrong') })).status).toBe(200);
    }
  });

  it('reports without a token change nothing (I8)', async () => {
    const body = '{"cluster":"c","request_id":"r","ip":"10.0.0.1"}';
    for (const headers of [
      {},
      bearer('wrong'),
      { Authorization: 'Basic token-1' },
      { Authorization: 'token-1' },
    ]) {
      expect((await callJson(port, 'POST', '/v1/load/stats', { body, headers })).code).toBe(40101001);
      expect((await callJson(port, 'DELETE', '/v1/load/stats', { body, headers })).code).toBe(40101001);
    }
    expect(replica.replicator.highestSeq).toBe(0);
    expect((await callJson(port, 'POST', '/v1/load/stats', { body, headers: bearer('token-2') })).code).toBe(
      0,
    );
  });

  it.each([
    '/v1/load/stats/?cluster=c',
    '/v1/load/stats?cluster=c#x',
    'http://replica/v1/load/stats?cluster=c',
    'http://user@replica:80/v1/load/stats?cluster=c',
    '//v1/load/stats?cluster=c',
    '/./v1/load/stats?cluster=c',
    '/healthz/../v1/load/stats?cluster=c',
    '/healthz/..%2fv1/load/stats?cluster=c',
    '/%761/load/stats?cluster=c',
    '/V1/load/stats?cluster=c',
    '/v1%2fload/stats?cluster=c',
    '/healthz?/v1/load/stats?cluster=c',
    '/v1/load/nothing',
    '/v1/',
    '/v1',
    '\\v1/load/stats',
  ])('no spelling leads around the check: %s', async (url) => {
    const raw = await RawConnection.open(port);
    raw.send(`GET ${url} HTTP/1.1\r\nHost: replica\r\n\r\n`);
    const { status, envelope } = await raw.answer();
    expect(url.startsWith('/healthz?') ? [200] : [400, 401, 404]).toContain(status);
    expect(envelope.data).toBeNull();
    raw.close();
  });

  it('unknown paths below the guarded ones tell nothing either, and with a token they are 404', async () => {
    expect((await callJson(port, 'GET', '/v1/cache/nothing')).code).toBe(40101001);
    expect((await callJson(port, 'GET', '/v1/cache/nothing', { headers: bearer('token-1') })).code).toBe(
      40401000,
    );
    expect((await callJson(port, 'GET', '/nowhere')).code).toBe(40401000);
  });

  it('the body of a refused request is read past, and the connection goes on (I7)', async () => {
    const raw = await RawConnection.open(port);
    for (let i = 0; i < 2; i++) {
      raw.send(
        'POST /v1/load/stats HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n' + 'x'.repeat(5_000_000),
      );
      expect((await raw.answer()).code).toBe(40101001);
    }
    raw.close();
  });
});

describe('without tokens', () => {
  it('nobody needs one, also where only a token for peers is set', async () => {
    const open = await startReplica({ METADATA_CENTER_PEER_TOKEN: 'token-of-peers' });
    expect((await call(open.port, 'GET', '/v1/load/stats?cluster=c')).status).toBe(200);
    expect((await call(open.port, 'GET', '/v1/replica/status', { headers: bearer('wrong') })).status).toBe(
      200,
    );
  });
});

describe('tokens in a file', () => {
  it('rotate without a restart; a file that became bad keeps the last good ones, and the log shows none', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tokens-'));
    const file = join(folder, 'tokens');
    writeFileSync(file, 'file-token-1\n');
    const rotating = await startReplica({ METADATA_CENTER_AUTH_TOKENS_FILE: file });
    const statusWith = async (token: string): Promise<number> =>
      (await call(rotating.port, 'GET', '/v1/load/stats?cluster=c', { headers: bearer(token) })).status;
    expect([await statusWith('file-token-1'), await statusWith('file-token-2')]).toEqual([200, 401]);

    writeFileSync(file, 'file-token-1\nfile-token-2\n');
    await until(async () => (await statusWith('file-token-2')) === 200, {
      describe: 'the new token is valid',
    });
    expect(await statusWith('file-token-1')).toBe(200);

    writeFileSync(file, 'file token 3\n');
    await until(() => rotating.log.some(({ level }) => level === 'error'), {
      describe: 'the bad file is logged',
    });
    expect([await statusWith('file-token-1'), await statusWith('file-token-2')]).toEqual([200, 200]);

    writeFileSync(file, 'file-token-2\n');
    await until(async () => (await statusWith('file-token-1')) === 401, {
      describe: 'the old token is refused',
    });
    expect(await statusWith('file-token-2')).toBe(200);
    expect(JSON.stringify(rotating.log)).not.toMatch(/file.token/);
    rmSync(folder, { recursive: true });
  });
});
