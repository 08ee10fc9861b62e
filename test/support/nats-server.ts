/** A real nats-server for a test: started on a port of its own, killed and restarted at will, gone at the end. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitOf, hasEnded, killWithParent } from './child-processes';
import { freePort } from './free-port';
import { findNatsServer } from './nats-server-binary';
import { until } from './until';

/** Configuration of a server that can keep the history. */
export const JETSTREAM = 'jetstream: { store_dir: "{folder}", max_memory_store: 1GB, max_file_store: 1GB }';

export interface NatsServerOptions {
  /** Text of the configuration file, without host and port. `{folder}` stands for a folder of the server's own. */
  readonly config?: string;
  readonly host?: string;
  readonly port?: number;
  /** Files for the folder, by name: certificates and the like. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
}

export class NatsServerProcess {
  private child: ChildProcess | undefined;
  private output = '';

  private constructor(
    readonly host: string,
    readonly port: number,
    readonly folder: string,
  ) {}

  static async start(options: NatsServerOptions = {}): Promise<NatsServerProcess> {
    const server = await NatsServerProcess.prepare(options);
    try {
      await server.run();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** A server that `run` will start: its port is known, and nobody listens there yet. */
  static async prepare(options: NatsServerOptions = {}): Promise<NatsServerProcess> {
    const host = options.host ?? '127.0.0.1';
    const folder = mkdtempSync(join(tmpdir(), 'nats-server-'));
    const server = new NatsServerProcess(host, options.port ?? (await freePort(host)), folder);
    for (const [name, content] of Object.entries(options.files ?? {})) {
      writeFileSync(join(folder, name), content);
    }
    server.configure(options.config ?? '');
    return server;
  }

  get url(): string {
    return `nats://${this.host}:${this.port}`;
  }

  get isRunning(): boolean {
    return this.child !== undefined && !hasEnded(this.child);
  }

  get pid(): number {
    const pid = this.child?.pid;
    if (pid === undefined) throw new Error('the nats-server is not running');
    return pid;
  }

  /** Everything that the server has logged, over all its runs. */
  get log(): string {
    return this.output;
  }

  /** Takes effect at the next `run` or `reload`. */
  configure(config: string): void {
    const text = `host: "${this.host}"\nport: ${this.port}\n${config.replaceAll('{folder}', this.folder)}\n`;
    writeFileSync(join(this.folder, 'nats.conf'), text);
  }

  async run(): Promise<void> {
    const binary = findNatsServer();
    if (binary === undefined) throw new Error('there is no nats-server');
    const child = spawn(binary, ['-c', join(this.folder, 'nats.conf')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // As for replicas: Ctrl-C is not for it.
      detached: true,
    });
    killWithParent(child);
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    }
    await until(() => hasEnded(child) || greets(this.host, this.port), {
      describe: () => `nats-server answers on ${this.url}\n${this.output}`,
    });
    if (hasEnded(child)) throw new Error(`nats-server ended: ${this.output}`);
  }

  /** Reads the configuration file again, without a restart. */
  reload(): void {
    process.kill(this.pid, 'SIGHUP');
  }

  /** SIGSTOP and SIGCONT: the server is there, but answers nothing. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    child.kill(signal);
    await exitOf(child);
    this.child = undefined;
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.run();
  }

  /** Ends the server for good and removes its folder. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether a NATS server says hello there. */
function greets(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, host);
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.once('data', (data) => end(data.toString().startsWith('INFO ')));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}
