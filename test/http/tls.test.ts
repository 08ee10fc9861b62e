/** HTTP over TLS on a whole replica: versions, certificates that are renewed, files that are bad, callers that misbehave. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { ConfigError } from '../../src/config/config';
import { type Certificate, CertificateAuthority } from '../support/certificates';
import { until } from '../support/until';
import { type Replica, startReplica, stopReplicas } from './replica';

const NAME = 'replica.test';
const authority = new CertificateAuthority();
const folder = mkdtempSync(join(tmpdir(), 'tls-'));
const certFile = join(folder, 'tls.crt');
const keyFile = join(folder, 'tls.key');
const files = { HTTP_TLS_CERT_FILE: certFile, HTTP_TLS_KEY_FILE: keyFile };

let replica: Replica;

function install({ cert, key }: Certificate): void {
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
}

beforeAll(async () => {
  install(authority.issue(NAME));
  replica = await startReplica(files);
});

afterAll(async () => {
  await stopReplicas();
  rmSync(folder, { recursive: true });
});

afterEach(() => jest.restoreAllMocks());

function secureSocket(options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const target = { host: '127.0.0.1', port: replica.port, servername: NAME, ca: authority.cert };
    const socket = connect({ ...target, ...options }, () => resolve(socket));
    socket.once('error', reject);
  });
}

interface TlsAnswer {
  readonly status: number | undefined;
  readonly text: string;
}

function send(method: string, path: string, body?: string, agent?: Agent): Promise<TlsAnswer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const target = { host: '127.0.0.1', port: replica.port, servername: NAME, ca: authority.cert };
    const outgoing = request({ ...target, method, path, headers, agent: agent ?? false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    outgoing.on('error', reject).end(body);
  });
}

async function serialNumber(): Promise<string> {
  const socket = await secureSocket();
  const { serialNumber: number } = socket.getPeerCertificate();
  socket.destroy();
  return number;
}

describe('over TLS', () => {
  it('the API is the same, and no prototype changes on the way', async () => {
    const changes: unknown[] = [];
    const original = Object.setPrototypeOf.bind(Object);
    const spy = jest.spyOn(Object, 'setPrototypeOf').mockImplementation((target: object, prototype) => {
      if (Object.getPrototypeOf(target) !== prototype) changes.push(target);
      return original(target, prototype) as unknown;
    });
    const body = '{"cluster":"c","request_id":"r","ip":"10.0.0.1"}';
    expect((await send('POST', '/v1/load/stats', body)).status).toBe(200);
    expect((await send('GET', '/v1/load/stats?cluster=c')).text).toContain('"queued_req_num":1');
    expect((await send('GET', '/nowhere')).status).toBe(404);
    expect(spy).toHaveBeenCalled();
    expect(changes).toEqual([]);
  });

  it('versions below 1.2 are refused', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await secureSocket({ minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(secureSocket(old)).rejects.toThrow('alert protocol version');
  });

  it('plain HTTP, rubbish and silence shut nobody out (I7)', async () => {
    const others = Array.from({ length: 400 }, (_, index) => {
      const socket = connectPlain(replica.port, '127.0.0.1').on('error', () => undefined);
      if (index % 2 === 0) socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      else if (index % 3 === 0) socket.write(Buffer.from('1603010200010001fc0303', 'hex'));
      return socket;
    });
    await Promise.all(others.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const startedMs = performance.now();
    expect((await send('GET', '/healthz')).status).toBe(200);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    for (const socket of others) socket.destroy();
  });

  it('a renewed certificate is shown to new connections, and those that are open go on', async () => {
    const agent = new Agent({ keepAlive: true });
    expect((await send('GET', '/healthz', undefined, agent)).status).toBe(200);
    const before = await serialNumber();
    install(authority.issue(NAME));
    await until(async () => (await serialNumber()) !== before, { describe: 'the new certificate is shown' });
    expect((await send('GET', '/healthz', undefined, agent)).status).toBe(200);
    agent.destroy();
  });

  it('a bad renewal is logged, and the certificate before it stays', async () => {
    const before = await serialNumber();
    const complaints = (): unknown[] =>
      replica.log.filter(({ level }) => level === 'error').map(({ reason }) => reason);
    writeFileSync(keyFile, authority.issue(NAME).key);
    await until(() => complaints().includes('the key does not belong to the certificate'), {
      describe: 'the key of another certificate is logged',
    });
    writeFileSync(certFile, 'rubbish');
    await until(() => complaints().includes('the certificate file holds no PEM certificate'), {
      describe: 'the bad certificate is logged',
    });
    expect(await serialNumber()).toBe(before);
    install(authority.issue(NAME));
    await until(async () => (await serialNumber()) !== before, { describe: 'the good renewal is shown' });
  });

  it('a stop closes idle connections at once and answers what was accepted', async () => {
    const stopping = await startReplica(files);
    const target = { port: stopping.port };
    const idle = await secureSocket(target);
    const silent = connectPlain(stopping.port, '127.0.0.1').on('error', () => undefined);
    const busy = await secureSocket(target);
    const body = '{"cluster":"c","request_id":"r","ip":"10.0.0.1"}';
    busy.write(`POST /v1/load/stats HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n{`);
    const first = await secureSocket(target);
    first.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => first.once('data', resolve));
    const startedMs = performance.now();
    const closed = [idle, silent, first].map((socket) => new Promise((done) => socket.once('close', done)));
    const stopped = stopping.stop();
    await Promise.all(closed);
    const answer = new Promise<Buffer>((resolve) => busy.once('data', resolve));
    busy.write(body.slice(1));
    expect(String(await answer)).toMatch(/^HTTP\/1.1 200 OK[^]*Connection: close/);
    await stopped;
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });
});

describe('bad files at the start', () => {
  const problemOf = async (cert: string, key: string): Promise<string> => {
    const [badCert, badKey] = [join(folder, 'bad.crt'), join(folder, 'bad.key')];
    writeFileSync(badCert, cert);
    writeFileSync(badKey, key);
    try {
      await startReplica({ HTTP_TLS_CERT_FILE: badCert, HTTP_TLS_KEY_FILE: badKey });
      return 'started';
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as Error).message;
    }
  };

  it('are named with what is wrong with them', async () => {
    const [one, two] = [authority.issue(NAME), authority.issue(NAME)];
    const variables = 'HTTP_TLS_CERT_FILE and HTTP_TLS_KEY_FILE';
    expect(await problemOf(one.cert, two.key)).toBe(
      `${variables} the key does not belong to the certificate`,
    );
    expect(await problemOf('', one.key)).toBe(`${variables} the certificate file holds no PEM certificate`);
    expect(await problemOf(one.cert, one.cert)).toMatch(/the key file holds no PEM private key/);
  });

  it('include lists of tokens and authorities', async () => {
    const file = join(folder, 'bad');
    writeFileSync(file, '\n');
    await expect(startReplica({ METADATA_CENTER_AUTH_TOKENS_FILE: file })).rejects.toThrow(
      'METADATA_CENTER_AUTH_TOKENS_FILE holds no token',
    );
    const peers = { META_DATA_CENTER_SVC_DISC_HOST: 'x.test', REPLICA_CLIENT_TARGET_PORT: '1' };
    await expect(startReplica({ ...peers, REPLICA_CLIENT_TLS_CA_FILE: file })).rejects.toThrow(
      'REPLICA_CLIENT_TLS_CA_FILE holds no PEM certificate',
    );
  });
});
