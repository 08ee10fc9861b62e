/** Three nats-servers that form a cluster with JetStream, on loopback. */
import { connect, type StreamInfo } from 'nats';
import { freePort } from '../support/free-port';
import { NatsServerProcess } from '../support/nats-server';
import { until } from '../support/until';

export class NatsCluster {
  private constructor(readonly servers: readonly NatsServerProcess[]) {}

  static async start(): Promise<NatsCluster> {
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(', ');
    const servers = await Promise.all(
      ports.map((port, i) =>
        NatsServerProcess.prepare({
          config: `server_name: "n${i}"
            jetstream: { store_dir: "{folder}", max_memory_store: 1GB, max_file_store: 1GB }
            cluster: { name: "test", host: "127.0.0.1", port: ${port}, routes: [${routes}] }`,
        }),
      ),
    );
    const cluster = new NatsCluster(servers);
    try {
      await Promise.all(servers.map((server) => server.run()));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get urls(): string {
    return this.servers.map(({ url }) => url).join();
  }

  /** The server that leads the stream. */
  async leaderOf(stream: string): Promise<NatsServerProcess> {
    const leader = (await this.settled(stream)).cluster?.leader;
    return this.servers[Number(leader?.slice(1))]!;
  }

  /** The stream's state once `isSo`, as a server that runs tells it. */
  async settled(stream: string, isSo: (info: StreamInfo) => boolean = () => true): Promise<StreamInfo> {
    const running = this.servers.find(({ isRunning }) => isRunning)!;
    const connection = await connect({ servers: running.url });
    let last: StreamInfo | undefined;
    try {
      const manager = await connection.jetstreamManager({ checkAPI: false, timeout: 1_000 });
      return await until(
        async () => {
          last = await manager.streams.info(stream);
          return last.cluster?.leader !== undefined && isSo(last) ? last : undefined;
        },
        { timeoutMs: 20_000, describe: () => `the stream has settled: ${JSON.stringify(last)}` },
      );
    } finally {
      await connection.close();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}
