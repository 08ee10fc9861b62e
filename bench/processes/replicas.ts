/** Replicas as `npm start` runs them, with a nats-server, a loopback address each and a name that resolves to all. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port';
import { NatsServerProcess } from '../../test/support/nats-server';
import { ReplicaProcess } from '../../test/support/replica-process';
import { cpuSeconds } from './process-stats';

/** `npm run bench` runs in the project's folder. */
export const REPLICA_MAIN = join(process.cwd(), 'dist', 'main.js');
/** Options of the engine by which a replica says each long turn of its event loop. */
export const LONG_TURNS: readonly string[] = [
  '--require',
  join(process.cwd(), 'test', 'support', 'long-turns.cjs'),
];
const NAME = 'replicas.metadata-center.bench';

export type Env = Readonly<Record<string, string>>;

/** One replica on its own, with nobody to tell anything. */
export function startAlone(env: Env = {}): Promise<ReplicaProcess> {
  return ReplicaProcess.start({ env, main: REPLICA_MAIN });
}

export class Replicas {
  readonly members: ReplicaProcess[] = [];

  private constructor(
    readonly nats: NatsServerProcess,
    private readonly network: string,
    private readonly port: number,
    private readonly folder: string,
    private readonly env: Env,
    private readonly nodeOptions: readonly string[],
  ) {}

  /** `network` is the first three bytes of the replicas' addresses; `size` of them may be started. */
  static async prepare(
    network: string,
    size: number,
    env: Env = {},
    natsConfig = '',
    nodeOptions: readonly string[] = [],
  ): Promise<Replicas> {
    const folder = mkdtempSync(join(tmpdir(), 'bench-'));
    const hosts = Array.from({ length: size }, (_, i) => `${network}.${i + 1} ${NAME}`);
    writeFileSync(join(folder, 'hosts'), ['127.0.0.1 localhost', ...hosts, ''].join('\n'));
    const nats = await NatsServerProcess.start({ config: natsConfig });
    return new Replicas(nats, network, await freePort(`${network}.1`), folder, env, nodeOptions);
  }

  /** Resolves when every replica is ready. */
  static async start(...options: Parameters<typeof Replicas.prepare>): Promise<Replicas> {
    const [, size] = options;
    const replicas = await Replicas.prepare(...options);
    for (let i = 0; i < size; i++) await replicas.launch();
    await Promise.all(replicas.members.map((member) => member.ready()));
    return replicas;
  }

  /** Starts the next replica; resolves when its process runs. */
  async launch(): Promise<ReplicaProcess> {
    const host = `${this.network}.${this.members.length + 1}`;
    const replica = await ReplicaProcess.launch({
      main: REPLICA_MAIN,
      host,
      port: this.port,
      hostsFile: join(this.folder, 'hosts'),
      nodeOptions: this.nodeOptions,
      env: {
        NATS_URL: this.nats.url,
        NATS_HISTORY: 'off',
        META_DATA_CENTER_SVC_DISC_HOST: NAME,
        POD_IP: host,
        ...this.env,
      },
    });
    this.members.push(replica);
    return replica;
  }

  /** Of all replicas and the nats-server. */
  cpuSeconds(): number {
    return [this.nats.pid, ...this.members.map(({ pid }) => pid)].reduce(
      (sum, pid) => sum + cpuSeconds(pid),
      0,
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    await this.nats.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
