import { writeFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import type { NatsBusOptions } from '../../src/bus/nats-bus';
import type { NatsCredentials, NatsTlsFiles } from '../../src/bus/nats-connection';
import { CertificateAuthority } from '../support/certificates';
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess, type NatsServerOptions } from '../support/nats-server';
import { Member } from './bus-contract';
import { natsBus, NO_CREDENTIALS, NO_TLS } from './nats-bus-fixture';
import { makeJwtSetUp, nkeys } from './nats-jwt';

const cleanUp = new CleanUp();
afterEach(() => cleanUp.run());

function startServer(options: NatsServerOptions): Promise<NatsServerProcess> {
  return cleanUp.use(NatsServerProcess.start(options), (it) => it.stop());
}

function join(urls: string, options: Partial<NatsBusOptions> = {}): Member {
  const member = new Member({ makeBus: (onTrouble) => natsBus(urls, options, onTrouble) }, ['p.*']);
  cleanUp.add(() => member.bus.stop());
  return member;
}

async function expectToTalk(urls: string, options: Partial<NatsBusOptions> = {}): Promise<void> {
  const [a, b] = [join(urls, options), join(urls, options)];
  await a.connected();
  await b.connected();
  a.publish('p.x', 'hello');
  await b.receives('p.x hello');
}

const withCredentials = (credentials: Partial<NatsCredentials>): Partial<NatsBusOptions> => ({
  credentials: { ...NO_CREDENTIALS, ...credentials },
});
const withTls = (tls: Partial<NatsTlsFiles>): Partial<NatsBusOptions> => ({ tls: { ...NO_TLS, ...tls } });

const PASSWORD_CONFIG = 'authorization { user: "alice", password: "hunter2 & co" }';

describe('the NATS bus signs in', () => {
  it('by user and password, from the options or from the URL, which goes first', async () => {
    const server = await startServer({ config: PASSWORD_CONFIG });
    await expectToTalk(server.url, withCredentials({ user: 'alice', pass: 'hunter2 & co' }));
    const url = `nats://alice:${encodeURIComponent('hunter2 & co')}@127.0.0.1:${server.port}`;
    await expectToTalk(url, withCredentials({ user: 'bob', pass: 'no' }));
  });

  it('by token, from the options or from the URL', async () => {
    const server = await startServer({ config: 'authorization { token: "s3cr3t" }' });
    await expectToTalk(server.url, withCredentials({ token: 's3cr3t' }));
    await expectToTalk(`nats://s3cr3t@127.0.0.1:${server.port}`);
  });

  it('by nkey seed, from the options or from a file', async () => {
    const user = nkeys.createUser();
    const seed = Buffer.from(user.getSeed()).toString();
    const config = `authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`;
    const server = await startServer({ config, files: { seed: `${seed}\n` } });
    await expectToTalk(server.url, withCredentials({ nkeySeed: seed }));
    await expectToTalk(server.url, withCredentials({ nkeySeedFile: joinPath(server.folder, 'seed') }));
  });

  it('by creds file', async () => {
    const { serverConfig, creds } = makeJwtSetUp();
    const server = await startServer({ config: serverConfig, files: { creds } });
    await expectToTalk(server.url, withCredentials({ credsFile: joinPath(server.folder, 'creds') }));
  });

  it('never with a wrong password: it keeps trying, says why without the password, and gets in when it is right', async () => {
    const server = await startServer({ config: 'authorization { user: alice, password: another }' });
    const a = join(`nats://alice:hunter2@127.0.0.1:${server.port}`);
    await a.connected(false);
    expect(a.statuses).toHaveLength(1);
    expect(a.bus.reason).toBe(`127.0.0.1:${server.port}: Authorization Violation`);
    expect(a.troubles).toEqual([`connect: 127.0.0.1:${server.port}: Authorization Violation`]);
    await server.kill();
    server.configure('authorization { user: alice, password: hunter2 }');
    await server.run();
    await a.connected();
    expect(JSON.stringify([a.statuses, a.troubles, a.bus.reason])).not.toContain('hunter2');
  });

  it('again with a password that was changed while it was connected', async () => {
    const server = await startServer({
      config: 'authorization { user: alice, password: old }',
    });
    const a = join(server.url, withCredentials({ user: 'alice', pass: 'old' }));
    await a.connected();
    server.configure('authorization { user: alice, password: new }');
    server.reload();
    await a.connected(false);
    server.configure('authorization { user: alice, password: old }');
    server.reload();
    await a.connected();
    expect(a.statuses.map((status) => status.connected)).toEqual([true, false, true]);
  });

  it('keeps trying while a file of credentials is missing, and reads it when it is there', async () => {
    const user = nkeys.createUser();
    const server = await startServer({
      config: `authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`,
    });
    const nkeySeedFile = joinPath(server.folder, 'late-seed');
    const a = join(server.url, withCredentials({ nkeySeedFile }));
    await a.connected(false);
    expect(a.bus.reason).toContain('ENOENT');
    writeFileSync(nkeySeedFile, user.getSeed());
    await a.connected();
  });
});

describe('the NATS bus over TLS', () => {
  const ca = new CertificateAuthority();
  const config = (more = ''): string =>
    `tls { cert_file: "{folder}/cert.pem", key_file: "{folder}/key.pem", ca_file: "{folder}/ca.pem" ${more} }`;
  const files = (...names: string[]): Record<string, string> => {
    const server = ca.issue(...names);
    const client = ca.issue('replica');
    return {
      'cert.pem': server.cert,
      'key.pem': server.key,
      'ca.pem': ca.cert,
      'other-ca.pem': new CertificateAuthority().cert,
      'client-cert.pem': client.cert,
      'client-key.pem': client.key,
    };
  };

  it('trusts the given CA, by name and by address', async () => {
    const server = await startServer({ config: config(), files: files('localhost', '127.0.0.1') });
    const caFile = joinPath(server.folder, 'ca.pem');
    await expectToTalk(`tls://127.0.0.1:${server.port}`, withTls({ caFile }));
    await expectToTalk(`tls://localhost:${server.port}`, withTls({ caFile }));
    await expectToTalk(`nats://localhost:${server.port}`, withTls({ caFile }));
  });

  it('shows a client certificate to a server that verifies it', async () => {
    const server = await startServer({ config: config(', verify: true'), files: files('localhost') });
    const path = (name: string): string => joinPath(server.folder, name);
    const url = `tls://localhost:${server.port}`;
    await expectToTalk(
      url,
      withTls({ caFile: path('ca.pem'), certFile: path('client-cert.pem'), keyFile: path('client-key.pem') }),
    );
    const without = join(url, withTls({ caFile: path('ca.pem') }));
    await without.connected(false);
  });

  it.each<[string, string[], string, RegExp]>([
    ['of another CA', ['localhost'], 'other-ca.pem', /certificate|issuer|signed|signature/i],
    ['for another name', ['elsewhere'], 'ca.pem', /altnames|Hostname/i],
  ])('refuses a server with a certificate %s', async (_case, names, caName, reason) => {
    const server = await startServer({ config: config(), files: files(...names) });
    const a = join(`tls://localhost:${server.port}`, withTls({ caFile: joinPath(server.folder, caName) }));
    await a.connected(false);
    expect(a.bus.reason).toMatch(reason);
  });

  it('refuses to go without TLS where it was asked for', async () => {
    const server = await startServer({});
    const a = join(`tls://127.0.0.1:${server.port}`);
    await a.connected(false);
    expect(a.bus.connected).toBe(false);
    expect(a.bus.reason).toContain('tls');
  });
});
