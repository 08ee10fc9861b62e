/**
 * Several replicas as processes, with a real nats-server, links that can be cut, and DNS answers from hosts files that
 * only they see. Each replica has a loopback address of its own, so that they share one port as pods do.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { NatsServerProcess } from '../support/nats-server';
import { type ReplicaOptions, ReplicaProcess } from '../support/replica-process';
import { SwallowingProxy } from '../support/swallowing-proxy';
import type { Workload } from './workload';

const NAME = 'replicas.metadata-center.test';

export interface FleetOptions {
  readonly size: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly natsConfig?: string;
  /** What only this member, counted from 0, has in its environment; its folder is its own too. */
  readonly memberEnv?: (index: number, folder: string, host: string) => Readonly<Record<string, string>>;
  /** Of clients: gateways and the tests themselves. */
  readonly scheme?: 'http' | 'https';
  /** How each process is run, where it matters. */
  readonly run?: Pick<ReplicaOptions, 'nodeOptions' | 'warm'>;
}

export interface Member {
  readonly host: string;
  readonly hostsFile: string;
  readonly link: SwallowingProxy;
  /** For files of its own. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  replica: ReplicaProcess;
}

export class Fleet {
  readonly members: Member[] = [];
  private stopped = false;

  private constructor(
    readonly nats: NatsServerProcess,
    readonly port: number,
    private readonly env: Readonly<Record<string, string>>,
    private readonly scheme: 'http' | 'https',
    private readonly run: Pick<ReplicaOptions, 'nodeOptions' | 'warm'>,
    private readonly cleanUp: CleanUp,
  ) {}

  /** Resolves when every replica is ready; nothing is left of a fleet that could not start. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const cleanUp = new CleanUp();
    try {
      return await Fleet.startWith(cleanUp, options);
    } catch (error) {
      await cleanUp.run();
      throw error;
    }
  }

  private static async startWith(
    cleanUp: CleanUp,
    { size, env = {}, natsConfig = '', memberEnv = () => ({}), scheme = 'http', run = {} }: FleetOptions,
  ): Promise<Fleet> {
    const nats = await cleanUp.use(NatsServerProcess.start({ config: natsConfig }), (it) => it.stop());
    const folder = mkdtempSync(join(tmpdir(), 'fleet-'));
    cleanUp.add(() => rmSync(folder, { recursive: true, force: true }));
    const net = `127.${1 + Math.floor(Math.random() * 250)}.${1 + Math.floor(Math.random() * 250)}`;
    const fleet = new Fleet(nats, await freePort(`${net}.1`), env, scheme, run, cleanUp);
    for (let i = 1; i <= size; i++) {
      const link = await cleanUp.use(SwallowingProxy.start(nats.port), (it) => it.stop());
      const host = `${net}.${i}`;
      const own = join(folder, String(i));
      mkdirSync(own);
      const hostsFile = join(own, 'hosts');
      const member = { host, hostsFile, link, folder: own, env: memberEnv(i - 1, own, host) };
      fleet.members.push(member as Member);
    }
    fleet.resolveAll();
    await Promise.all(fleet.members.map((member) => fleet.launch(member)));
    await Promise.all(fleet.members.map(({ replica }) => replica.ready()));
    return fleet;
  }

  get urls(): string[] {
    return this.members.map(({ host }) => `${this.scheme}://${host}:${this.port}`);
  }

  /** Starts the member's process, anew if it had one. */
  async launch(member: Member): Promise<void> {
    if (this.stopped) throw new Error('the fleet was stopped');
    const starting = ReplicaProcess.launch({
      host: member.host,
      port: this.port,
      hostsFile: member.hostsFile,
      ...this.run,
      env: {
        NATS_URL: `nats://127.0.0.1:${member.link.port}`,
        META_DATA_CENTER_SVC_DISC_HOST: NAME,
        REPLICA_DNS_LOOKUP_INTERVAL: '500ms',
        POD_IP: member.host,
        NATS_HISTORY: 'off',
        LOG_LEVEL: 'debug',
        ...this.env,
        ...member.env,
      },
    });
    member.replica = await this.cleanUp.use(starting, (it) => it.kill());
  }

  /** Kills a member, and starts it anew when the others have taken so many more reports; resolves when it is ready. */
  async replaceUnder(load: Workload, member: Member, reports: number): Promise<void> {
    await member.replica.kill();
    await load.more(reports);
    await this.launch(member);
    await member.replica.ready();
  }

  /** What each member's lookup of the name answers. */
  resolve(member: Member, hosts: readonly string[]): void {
    writeFileSync(
      member.hostsFile,
      ['127.0.0.1 localhost', ...hosts.map((host) => `${host} ${NAME}`), ''].join('\n'),
    );
  }

  resolveAll(): void {
    const hosts = this.members.map(({ host }) => host);
    for (const member of this.members) this.resolve(member, hosts);
  }

  /** Takes the bus and the peers from one member, in silence; clients still reach it. */
  cutOff(cut: Member): void {
    cut.link.swallow(true);
    const others = this.members.filter((member) => member !== cut).map(({ host }) => host);
    for (const member of this.members) this.resolve(member, member === cut ? [cut.host] : others);
  }

  heal(cut: Member): void {
    cut.link.swallow(false);
    this.resolveAll();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.cleanUp.run();
  }
}
