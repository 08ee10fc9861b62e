/** Replicas that speak TLS with each other, dialled by address, trusted for one name that one authority vouches for. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fleet } from '../convergence/fleet';
import { Workload } from '../convergence/workload';
import { CertificateAuthority } from '../support/certificates';
import { CleanUp } from '../support/clean-up';
import { seededRandom } from '../support/seeded-random';
import { until } from '../support/until';

const NAME = 'replicas.metadata-center.test';
const authority = new CertificateAuthority();

let fleet: Fleet;
let load: Workload;
const cleanUp = new CleanUp();

beforeAll(async () => {
  const starting = Fleet.start({
    size: 3,
    scheme: 'https',
    env: { METADATA_CENTER_READY_TIMEOUT: '5s', METADATA_CENTER_AUTH_TOKENS: 'tls-test-token' },
    memberEnv: (_index, folder) => {
      const { cert, key } = authority.issue(NAME);
      const files = { 'tls.crt': cert, 'tls.key': key, 'ca.crt': authority.cert };
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
      return {
        HTTP_TLS_CERT_FILE: join(folder, 'tls.crt'),
        HTTP_TLS_KEY_FILE: join(folder, 'tls.key'),
        REPLICA_CLIENT_TLS_CA_FILE: join(folder, 'ca.crt'),
      };
    },
  });
  fleet = await cleanUp.use(starting, (it) => it.stop());
  load = new Workload(seededRandom(6), fleet.urls, { ca: authority.cert, servername: NAME });
  cleanUp.add(() => load.close());
  load.headers = { Authorization: 'Bearer tls-test-token' };
});

afterAll(() => cleanUp.run());

it('I1 I4: a replica that is killed and started anew under load pulls what it missed over TLS', async () => {
  load.start(8);
  await load.more(200, 'load runs');
  const [, , victim] = fleet.members;
  await fleet.replaceUnder(load, victim!, 200);
  await load.stop();
  await load.converged(fleet.urls, 5_000);
  expect(load.refused).toEqual([]);
  await victim!.replica.hasLogged('pulled from a peer');
});

it.each([
  ['another name', () => authority.issue('elsewhere.test'), /does not match certificate's altnames/],
  [
    'another authority',
    () => new CertificateAuthority('Other').issue(NAME),
    /verify|unable to get|certificate/,
  ],
])('a peer whose certificate is from %s is not asked, and why is logged', async (_what, issue, reason) => {
  const [one, , impostor] = fleet.members;
  const { cert, key } = issue();
  await impostor!.replica.kill();
  writeFileSync(join(impostor!.folder, 'tls.crt'), cert);
  writeFileSync(join(impostor!.folder, 'tls.key'), key);
  const linesBefore = one!.replica.log.length;
  await fleet.launch(impostor!);
  await impostor!.replica.ready();
  const distrusted = (): boolean =>
    one!.replica.log
      .slice(linesBefore)
      .some(
        (line) =>
          line['msg'] === 'peer unreachable' &&
          line['peer'] === impostor!.host &&
          reason.test(String(line['reason'])),
      );
  await until(distrusted, { describe: () => `a line with ${String(reason)}` });
});
