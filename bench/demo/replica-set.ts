/** Three replicas on a nats-server with JetStream, one of which is killed and started again now and then. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port';
import { JETSTREAM, NatsServerProcess } from '../../test/support/nats-server';
import { ReplicaProcess } from '../../test/support/replica-process';

const NAME = 'replicas.metadata-center.demo';
const NETWORK = '127.83.0';

export interface Place {
  readonly host: string;
  readonly port: number;
}

export class ReplicaSet {
  /** Undefined where a replica is down. */
  readonly members: (ReplicaProcess | undefined)[];
  kills = 0;

  private constructor(
    readonly nats: NatsServerProcess,
    readonly places: readonly Place[],
    private readonly folder: string,
    private readonly withPeers: boolean,
    private readonly main: string,
  ) {
    this.members = places.map(() => undefined);
  }

  static async start(size: number, main: string): Promise<ReplicaSet> {
    const folder = mkdtempSync(join(tmpdir(), 'demo-'));
    const withPeers = canHaveHostsFile();
    const shared = withPeers ? await freePort(`${NETWORK}.1`) : 0;
    const places: Place[] = [];
    for (let i = 1; i <= size; i++) {
      places.push(
        withPeers ? { host: `${NETWORK}.${i}`, port: shared } : { host: '127.0.0.1', port: await freePort() },
      );
    }
    const hosts = places.map(({ host }) => `${host} ${NAME}`);
    writeFileSync(join(folder, 'hosts'), ['127.0.0.1 localhost', ...hosts, ''].join('\n'));
    const nats = await NatsServerProcess.start({ config: JETSTREAM });
    const set = new ReplicaSet(nats, places, folder, withPeers, main);
    try {
      await Promise.all(places.map((_place, i) => set.launch(i)));
    } catch (error) {
      await set.stop();
      throw error;
    }
    return set;
  }

  urlOf(index: number): string {
    const { host, port } = this.places[index]!;
    return `http://${host}:${port}`;
  }

  /** As a crash does: without a word to anyone. */
  async kill(index: number): Promise<void> {
    const member = this.members[index];
    this.members[index] = undefined;
    this.kills++;
    await member?.kill();
  }

  /** Resolves when the replica is ready. */
  async launch(index: number): Promise<void> {
    const { host, port } = this.places[index]!;
    const member = await ReplicaProcess.launch({
      main: this.main,
      host,
      port,
      ...(this.withPeers && { hostsFile: join(this.folder, 'hosts') }),
      env: {
        NATS_URL: this.nats.url,
        POD_IP: host,
        LOG_LEVEL: 'warn',
        ...(this.withPeers && { META_DATA_CENTER_SVC_DISC_HOST: NAME, REPLICA_DNS_LOOKUP_INTERVAL: '1s' }),
      },
    });
    this.members[index] = member;
    await member.ready();
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map(async (member) => member?.kill()));
    await this.nats.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Whether a process can be given a hosts file of its own, so that one name has three addresses. Where it cannot,
 * the replicas do without peers, and one that was killed gets everything back from the history on the bus.
 */
function canHaveHostsFile(): boolean {
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  return (
    spawnSync('unshare', [...asRoot, '--mount', 'mount', '--bind', '/etc/hosts', '/etc/hosts']).status === 0
  );
}
