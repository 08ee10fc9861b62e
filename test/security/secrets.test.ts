/** Secrets are set wherever one can be, things go wrong, everything is logged: none of them may show anywhere. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fleet } from '../convergence/fleet';
import { CertificateAuthority } from '../support/certificates';
import { CleanUp } from '../support/clean-up';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';

const SECRETS = {
  natsPassword: 'secret-of-nats',
  wrongNatsPassword: 'secret-that-nats-refuses',
  accepted: 'secret-token-accepted',
  second: 'secret-token-second',
  peers: 'secret-token-of-peers',
  onlyOne: 'secret-token-that-others-refuse',
  wrong: 'secret-token-wrong',
};
const anySecret = /secret-(of|that|token)[a-z-]*/;

let fleet: Fleet;
const atEnd = new CleanUp();
const cleanUp = new CleanUp();

beforeAll(async () => {
  const starting = Fleet.start({
    size: 3,
    natsConfig: `authorization { user: u, password: "${SECRETS.natsPassword}" }`,
    env: { LOG_LEVEL: 'trace', METADATA_CENTER_READY_TIMEOUT: '2s', NATS_USER: 'u' },
    memberEnv: (index) => ({
      // The third one is refused by nats and by its peers.
      NATS_PASS: index === 2 ? SECRETS.wrongNatsPassword : SECRETS.natsPassword,
      METADATA_CENTER_AUTH_TOKENS: index === 2 ? SECRETS.onlyOne : `${SECRETS.accepted},${SECRETS.second}`,
      ...(index < 2 && { METADATA_CENTER_PEER_TOKEN: SECRETS.peers }),
    }),
  });
  fleet = await atEnd.use(starting, (it) => it.stop());
});

afterAll(() => atEnd.run());

afterEach(() => cleanUp.run());

function answerOf(host: string, method: string, path: string, token: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      Authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'Content-Length': Buffer.byteLength(body) }),
    };
    request({ host, port: fleet.port, method, path, headers, agent: false }, (response) => {
      let text = JSON.stringify(response.headers);
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(`${response.statusCode} ${text}`));
    })
      .on('error', reject)
      .end(body);
  });
}

const PATHS = ['/', '/docs', '/openapi.json', '/healthz', '/readyz', '/metrics', '/v1/load/stats?cluster=c'];
const MORE = [
  '/v1/load/stats',
  '/v1/clusters',
  '/v1/replica/status',
  '/v1/replica/snapshot',
  '/nowhere',
  '/v1/x',
];

it('no answer shows one, refused or not, whatever is wrong with the replica', async () => {
  for (const { host } of fleet.members) {
    for (const token of [SECRETS.wrong, SECRETS.accepted, SECRETS.onlyOne]) {
      for (const path of [...PATHS, ...MORE]) {
        expect(await answerOf(host, 'GET', path, token)).not.toMatch(anySecret);
        expect(await answerOf(host, 'DELETE', path, token, '{"request_id":1}')).not.toMatch(anySecret);
      }
    }
  }
});

it('no line of a log at the lowest level shows one, and the log says what is wrong', async () => {
  const [, , refused] = fleet.members;
  await until(() => refused!.replica.logged('peer unreachable') && refused!.replica.logged('bus trouble'), {
    describe: 'the third replica is refused everywhere',
  });
  for (const { replica } of fleet.members) {
    expect(replica.log.length).toBeGreaterThan(10);
    expect(JSON.stringify(replica.log)).not.toMatch(anySecret);
    expect(replica.otherOutput.join('\n') + replica.stderr).not.toMatch(anySecret);
  }
});

it('no complaint about a bad variable or file shows one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  cleanUp.add(() => rmSync(folder, { recursive: true }));
  const { cert, key } = new CertificateAuthority().issue('x.test');
  const keyText = key.split('\n')[1]!;
  writeFileSync(join(folder, 'tokens'), 'secret-token-in a file\n');
  writeFileSync(join(folder, 'tls.crt'), cert);
  writeFileSync(join(folder, 'tls.key'), key.replace('BEGIN', 'BEGUN'));
  const bad: Record<string, string>[] = [
    {
      METADATA_CENTER_AUTH_TOKENS: 'secret-token-with space,ok',
      METADATA_CENTER_PEER_TOKEN: 'secret-token-with space',
      NATS_URL: 'nats://u:secret-of-nats@:x',
      NATS_TOKEN: 'secret-of-nats\n',
    },
    { METADATA_CENTER_AUTH_TOKENS_FILE: join(folder, 'tokens') },
    { HTTP_TLS_CERT_FILE: join(folder, 'tls.crt'), HTTP_TLS_KEY_FILE: join(folder, 'tls.key') },
  ];
  for (const env of bad) {
    const replica = await cleanUp.use(ReplicaProcess.launch({ env }), (it) => it.kill());
    expect(await replica.exited()).toEqual({ code: 1, signal: null });
    const said = `${replica.stderr}${JSON.stringify(replica.log)}${replica.otherOutput.join('\n')}`;
    for (const variable of Object.keys(env)) expect(said).toContain(variable);
    expect(said).not.toMatch(anySecret);
    expect(said).not.toContain(keyText);
  }
});
