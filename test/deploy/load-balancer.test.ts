/** deploy/haproxy, as it is shipped, in a real HAProxy in front of real replicas that stop, die and start. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { exitOf, killWithParent } from '../support/child-processes';
import { CleanUp } from '../support/clean-up';
import { DnsServer } from '../support/dns-server';
import { freePort } from '../support/free-port';
import { NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';
import { Program, describeWith } from './programs';
import { readText } from './project-files';

const FILE = 'deploy/haproxy/haproxy.cfg';
// Debian puts it where the PATH of ordinary users does not look.
const haproxy = ['haproxy', '/usr/sbin/haproxy']
  .map((command) => ({ command, program: new Program(command, [], ['-v'], /HAProxy/) }))
  .find(({ program }) => program.found);

const GATEWAYS = 8;

interface Answer {
  readonly status: number;
  /** That of the envelope. */
  readonly code: number | undefined;
  readonly data: unknown;
}

describeWith(haproxy?.program, 'haproxy')('the load balancer in front of replicas', () => {
  const cleanUp = new CleanUp();
  const folder = mkdtempSync(join(tmpdir(), 'load-balancer-'));
  let dns: DnsServer;
  let nats: NatsServerProcess;
  let replicaPort: number;
  let address: string;
  let state: string;

  const startReplica = async (host: string): Promise<ReplicaProcess> => {
    const launching = ReplicaProcess.launch({ host, port: replicaPort, env: { NATS_URL: nats.url } });
    return cleanUp.use(launching, (it) => it.kill());
  };

  /** Addresses of the replicas that the load balancer uses. */
  const used = async (): Promise<string[]> => {
    const [names = '', ...lines] = (await (await fetch(`${state}/;csv`)).text()).trim().split('\n');
    const columns = names.replace(/^# /, '').split(',');
    const value = (line: string, column: string): string => line.split(',')[columns.indexOf(column)]!;
    return lines
      .filter((line) => line.startsWith('replicas,replica') && value(line, 'status') === 'UP')
      .map((line) => value(line, 'addr').split(':')[0]!)
      .sort();
  };
  const uses = (...hosts: string[]): Promise<true> =>
    until(async () => isDeepStrictEqual(await used(), hosts), {
      describe: `the load balancer uses ${hosts.join(', ')}`,
    });

  const ask = async (at: string, path: string, method = 'GET', body?: object): Promise<Answer> => {
    const response = await fetch(`${at}${path}`, {
      method,
      // After the head, as some gateways send it.
      ...(body && { body: new Blob([JSON.stringify(body)]).stream(), duplex: 'half' }),
    });
    const text = await response.text();
    try {
      const { error, data } = JSON.parse(text) as { error: { code: number } | null; data: unknown };
      return { status: response.status, code: error?.code, data };
    } catch {
      return { status: response.status, code: undefined, data: text };
    }
  };

  beforeAll(async () => {
    dns = await cleanUp.use(DnsServer.start(), (it) => it.stop());
    nats = await cleanUp.use(NatsServerProcess.start(), (it) => it.stop());
    const ports = { gateways: await freePort(), state: await freePort() };
    replicaPort = await freePort('127.0.0.2');
    address = `http://127.0.0.1:${ports.gateways}`;
    state = `http://127.0.0.1:${ports.state}`;
    const replacements: [string, string][] = [
      ['bind :8080', `bind 127.0.0.1:${ports.gateways}`],
      ['bind :8404', `bind 127.0.0.1:${ports.state}`],
      ['nameserver dns 127.0.0.11:53', `nameserver dns 127.0.0.1:${dns.port}`],
      ['metadata-center:8080', `metadata-center:${replicaPort}`],
    ];
    let config = readText(FILE);
    for (const [what, by] of replacements) {
      expect(config).toContain(what);
      config = config.replace(what, by);
    }
    // Debian's HAProxy may be older than the image's, and then takes a new replica for ready until the first look.
    const { output } = haproxy!.program.run(['-v']);
    const [, major, minor] = /version (\d+)\.(\d+)/.exec(output)!.map(Number);
    if (major! < 3 || (major === 3 && minor! < 1)) config = config.replace(' init-state down', '');
    writeFileSync(join(folder, 'haproxy.cfg'), config);
    cleanUp.add(() => rmSync(folder, { recursive: true }));
    const child: ChildProcess = spawn(haproxy!.command, ['-db', '-f', join(folder, 'haproxy.cfg')], {
      stdio: 'ignore',
      detached: true,
    });
    killWithParent(child);
    cleanUp.add(async () => {
      child.kill('SIGKILL');
      await exitOf(child);
    });
  });

  afterAll(() => cleanUp.run());

  it('refuses no report and no query while a replica stops, one is killed and one starts, and nothing counts twice or is lost (I1)', async () => {
    const [first, second, third, fourth] = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'] as const;
    const [stopped, killed, kept] = await Promise.all([first, second, third].map(startReplica));
    dns.addresses = [first, second, third];
    await uses(first, second, third);

    const refused: unknown[] = [];
    let answered = 0;
    let ended = false;
    const expect200 = async (...request: Parameters<typeof ask>): Promise<void> => {
      const { status, code, data } = await ask(...request);
      // The second copy of a delete: the answer to the first was lost.
      if (status === 200 || code === 40001404) answered++;
      else refused.push([request[2], status, code, data]);
    };
    const gateway = async (name: number): Promise<void> => {
      for (let i = 0; !ended; i++) {
        const report = { cluster: 'c', request_id: `${name}-${i}`, ip: `10.0.0.${name + 1}` };
        await expect200(address, '/v1/load/stats', 'POST', { ...report, timestamp: i, prompt_length: 1 });
        await expect200(address, '/v1/load/stats?cluster=c');
        if (i > 0) await expect200(address, '/v1/load/stats', 'DELETE', { request_id: `${name}-${i - 1}` });
        // As fast as they can they would take the cores from what they wait for.
        await delay(20);
      }
    };
    const load = Promise.all(Array.from({ length: GATEWAYS }, (_, name) => gateway(name)));
    const goesOn = (): Promise<true> => {
      const before = answered;
      return until(() => answered > before + 100, {
        describe: 'the load goes on',
      });
    };

    await goesOn();
    await stopped!.stop();
    await goesOn();
    dns.addresses = [second, third];
    await uses(second, third);

    const started = await startReplica(fourth);
    dns.addresses = [second, third, fourth];
    await uses(second, third, fourth);
    await goesOn();

    // With requests in hand: it stops when each gateway waits for it.
    killed!.signal('SIGSTOP');
    await until(
      async () => {
        const before = answered;
        await delay(200);
        return answered === before;
      },
      { describe: 'all gateways wait' },
    );
    // Still among the addresses: its failed checks say it.
    await killed!.kill();
    await goesOn();
    await uses(third, fourth);
    await goesOn();
    ended = true;
    await load;

    expect(refused).toEqual([]);
    // Each gateway has left its last request in flight.
    const row = (i: number): object => ({ ip: `10.0.0.${i + 1}`, queued_req_num: 1, prompt_length: 1 });
    for (const { url } of [kept!, started]) {
      await until(
        async () => {
          const { data } = await ask(url, '/v1/load/stats?cluster=c');
          expect(data).toMatchObject(Array.from({ length: GATEWAYS }, (_, i) => row(i)));
          return true;
        },
        { timeoutMs: 10_000, describe: `rows of ${url} are right` },
      );
    }
  });
});
