/** deploy/nats/cluster, as it is shipped, on three real servers: with its TLS, its accounts and its permissions. */
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { hasEnded, killWithParent } from '../support/child-processes';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { findNatsServer } from '../support/nats-server-binary';
import { NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';
import { projectPath, readAlerts, readText } from './project-files';
import { references } from './promql';

const FOLDER = 'deploy/nats/cluster';
/** The one name that all three servers have here: their routes name it, and so must their certificate. */
const HOST = 'localhost';
const REPLICA = { user: 'metadata-center', pass: 'replica-secret' };

interface Member {
  readonly server: NatsServerProcess;
  readonly clusterPort: number;
  readonly monitoring: string;
}

interface Varz {
  readonly [figure: string]: unknown;
}

describe('deploy/nats/cluster', () => {
  const cleanUp = new CleanUp();
  const members: Member[] = [];
  const replicas: ReplicaProcess[] = [];
  let tls: string;
  let env: Record<string, string>;

  const makeCertificates = (folder: string, ...names: string[]): void => {
    execFileSync(projectPath(`${FOLDER}/make-certificates.sh`), [folder, ...names]);
  };

  const prepare = async (name: string, clusterPorts: readonly number[], own: number): Promise<Member> => {
    const monitoring = await freePort();
    const replacements: [string | RegExp, string][] = [
      [/^port: 4222$/m, ''],
      ['http_port: 8222', `http: "127.0.0.1:${monitoring}"`],
      ['$NATS_SERVER_NAME', name],
      ['port: 6222', `host: "127.0.0.1"\n  port: ${own}`],
      [/routes: \[[^\]]*\]/, `routes: [${clusterPorts.map((port) => `nats://${HOST}:${port}`).join(', ')}]`],
    ];
    let config = readText(`${FOLDER}/nats.conf`);
    for (const [what, by] of replacements) {
      expect(config).toMatch(what);
      config = config.replace(what, by);
    }
    config = config
      .replaceAll('/etc/nats-tls', '{folder}')
      .replaceAll('/data', '{folder}')
      .replace('$SYS_PASSWORD', 'sys-secret');
    const permissions = readText(`${FOLDER}/permissions.conf`)
      .replace('$REPLICA_PASSWORD', REPLICA.pass)
      .replace('$TAP_PASSWORD', 'tap-secret');
    const files = {
      'permissions.conf': permissions,
      ...Object.fromEntries(
        ['tls.crt', 'tls.key', 'ca.crt'].map((file) => [file, readFileSync(join(tls, file))]),
      ),
    };
    const server = await NatsServerProcess.prepare({ config, files });
    cleanUp.add(() => server.stop());
    return { server, clusterPort: own, monitoring: `http://127.0.0.1:${monitoring}` };
  };

  const varz = async ({ monitoring }: Member): Promise<Varz> =>
    (await (await fetch(`${monitoring}/varz`)).json()) as Varz;
  const isLinked = async (member: Member): Promise<boolean> => Number((await varz(member))['routes']) >= 2;

  const startReplica = async (): Promise<ReplicaProcess> => {
    const replica = await cleanUp.use(ReplicaProcess.start({ env }), (it) => it.kill());
    replicas.push(replica);
    return replica;
  };
  let reports = 0;
  const report = async (at: ReplicaProcess): Promise<void> => {
    const body = JSON.stringify({ cluster: 'c', request_id: `r${++reports}`, ip: '10.0.0.1' });
    expect((await fetch(`${at.url}/v1/load/stats`, { method: 'POST', body })).status).toBe(200);
  };
  const seenBy = (replica: ReplicaProcess): Promise<boolean> =>
    until(
      async () =>
        (await (await fetch(`${replica.url}/v1/load/stats?cluster=c`)).text()).includes(
          `"queued_req_num":${reports}`,
        ),
      { describe: `${reports} requests at ${replica.url}` },
    );

  const isOnAnotherServer = async ({ url }: ReplicaProcess, { server }: Member): Promise<boolean> => {
    const { data } = (await (await fetch(`${url}/readyz`)).json()) as {
      data: { bus: { connected: boolean; reason: string } };
    };
    return data.bus.connected && !data.bus.reason.endsWith(`:${server.port}`);
  };
  /** Until the servers have a leader for the stream it keeps nothing. */
  const leaderOfStream = async ({ monitoring }: Member): Promise<string | undefined> => {
    const jsz = (await (await fetch(`${monitoring}/jsz?streams=true`)).json()) as {
      account_details?: { stream_detail?: { cluster?: { leader?: string } }[] }[];
    };
    return jsz.account_details?.[0]?.stream_detail?.[0]?.cluster?.leader;
  };

  beforeAll(async () => {
    tls = mkdtempSync(join(tmpdir(), 'nats-tls-'));
    cleanUp.add(() => rmSync(tls, { recursive: true }));
    makeCertificates(tls, HOST);
    const ports = [await freePort(), await freePort(), await freePort()];
    for (const [index, port] of ports.entries()) members.push(await prepare(`nats-${index}`, ports, port));
    await Promise.all(members.map(({ server }) => server.run()));
    await until(async () => (await Promise.all(members.map(isLinked))).every(Boolean), {
      describe: () => `three servers with routes to each other\n${members[0]!.server.log}`,
    });
    env = {
      NATS_URL: members.map(({ server }) => `tls://${HOST}:${server.port}`).join(','),
      NATS_USER: REPLICA.user,
      NATS_PASS: REPLICA.pass,
      NATS_TLS_CA_FILE: join(tls, 'ca.crt'),
      NATS_HISTORY: 'required',
      NATS_HISTORY_REPLICAS: '3',
    };
    for (let count = 0; count < 2; count++) await startReplica();
  });

  afterAll(() => cleanUp.run());

  it('carries events, and keeps the history on all three servers', async () => {
    const [first, second] = replicas as [ReplicaProcess, ReplicaProcess];
    await report(first);
    await seenBy(second);
    const jsz = (await (await fetch(`${members[0]!.monitoring}/jsz?streams=true&config=true`)).json()) as {
      account_details: { name: string; stream_detail: { config: { num_replicas: number } }[] }[];
    };
    expect(jsz.account_details).toMatchObject([
      { name: 'METADATA_CENTER', stream_detail: [{ config: { num_replicas: 3 } }] },
    ]);
    for (const { server } of members) expect(server.log).not.toMatch(/Violation/);
  });

  it('goes on when one server is killed, and has the history for a replica that starts then', async () => {
    const [first, second] = replicas as [ReplicaProcess, ReplicaProcess];
    await members[0]!.server.kill();
    for (const replica of [first, second])
      await until(() => isOnAnotherServer(replica, members[0]!), {
        describe: `${replica.url} is at a server that runs`,
      });
    let leaders: unknown[] = [];
    await until(
      async () => {
        leaders = await Promise.all(members.slice(1).map(leaderOfStream));
        return leaders.every((leader) => leader === 'nats-1' || leader === 'nats-2');
      },
      { timeoutMs: 60_000, describe: () => `the stream has a leader: ${JSON.stringify(leaders)}` },
    );
    await report(first);
    await seenBy(second);
    await report(second);
    await seenBy(first);
    const late = await startReplica();
    await report(first);
    await seenBy(late);
    expect(late.logged(/bus trouble/)).toBeUndefined();
    await members[0]!.server.run();
    await until(() => isLinked(members[0]!), { describe: 'the killed server is back in the cluster' });
  });

  it('lets nobody in without TLS or without a password', async () => {
    const { server } = members[1]!;
    await expect(
      connect({ servers: `nats://${HOST}:${server.port}`, tls: null, ...REPLICA }),
    ).rejects.toThrow();
    const ca = { tls: { caFile: join(tls, 'ca.crt') } };
    await expect(connect({ servers: `${HOST}:${server.port}`, ...ca })).rejects.toThrow(/Authorization/);
    const right = await connect({ servers: `${HOST}:${server.port}`, ...ca, ...REPLICA });
    await right.close();
  });

  it('lets no server in whose certificate is for a name that is none of the cluster', async () => {
    const other = mkdtempSync(join(tmpdir(), 'nats-tls-'));
    cleanUp.add(() => rmSync(other, { recursive: true }));
    for (const file of ['ca.crt', 'ca.key']) copyFileSync(join(tls, file), join(other, file));
    makeCertificates(other, 'stranger.test');
    const ports = members.map(({ clusterPort }) => clusterPort);
    const stranger = await prepare('stranger', ports, await freePort());
    for (const file of ['tls.crt', 'tls.key'])
      copyFileSync(join(other, file), join(stranger.server.folder, file));
    await stranger.server.run();
    await until(
      () =>
        members.every(({ server }) => /Router connection closed: Authentication Failure/.test(server.log)),
      {
        describe: () => `every server refuses it\n${members[0]!.server.log}`,
      },
    );
    expect((await varz(stranger))['routes']).toBe(0);
    await stranger.server.stop();
  });

  it('takes a renewed certificate without a restart', async () => {
    const { server } = members[2]!;
    const files = ['tls.crt', 'tls.key'].map((file) => join(server.folder, file));
    const reload = spawn(
      'sh',
      [projectPath(`${FOLDER}/reload.sh`), join(server.folder, 'nats.pid'), '0.2', ...files],
      { stdio: 'ignore', env: { PATH: `${join(findNatsServer()!, '..')}:${process.env['PATH']}` } },
    );
    killWithParent(reload);
    cleanUp.add(() => reload.kill());
    makeCertificates(tls, HOST);
    // Not before the script has looked once, of which it says nothing: so again, until the server has read it.
    await until(
      () => {
        for (const file of ['tls.crt', 'tls.key']) copyFileSync(join(tls, file), join(server.folder, file));
        makeCertificates(tls, HOST);
        return /Reloaded: tls = enabled/.test(server.log);
      },
      { intervalMs: 1_000, describe: () => `the server reads it\n${server.log}` },
    );
    expect(hasEnded(reload)).toBe(false);
    expect(server.isRunning).toBe(true);
  });

  it('has alerts that ask for figures that a server gives, by the names that the exporter makes of them', async () => {
    const figures = await varz(members[1]!);
    const asked = readAlerts(`${FOLDER}/alerts/alerts.yaml`).flatMap(({ expr }) => references(expr));
    const names = new Set(asked.map(({ metric }) => metric));
    expect(names).toEqual(
      new Set(['up', 'gnatsd_healthz_status', 'gnatsd_varz_routes', 'gnatsd_varz_slow_consumers']),
    );
    // The exporter takes each number of /varz under its own name, with gnatsd_varz_ before it.
    const numbers = Object.keys(figures).filter((figure) => typeof figures[figure] === 'number');
    const taken = [...names].flatMap((name) => /^gnatsd_varz_(\w+)$/.exec(name)?.[1] ?? []);
    expect(numbers).toEqual(expect.arrayContaining(taken));
    const health = await fetch(`${members[1]!.monitoring}/healthz`);
    expect(await health.json()).toEqual({ status: 'ok' });
  });
});
