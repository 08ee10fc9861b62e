/**
 * A TCP link that can be slow, and can die in silence: it goes on accepting, but reads and forwards nothing, and
 * resets nothing.
 */
import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class SwallowingProxy {
  private readonly sockets = new Set<Socket>();
  private swallowing = false;

  private constructor(
    private readonly server: Server,
    readonly port: number,
    targetPort: number,
    delayMs: number,
  ) {
    server.on('connection', (near) => {
      const far = createConnection(targetPort, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.sockets.add(from);
        from.on('error', () => undefined);
        from.on('data', (data) => {
          if (delayMs === 0) to.write(data);
          else setTimeout(() => to.write(data), delayMs);
        });
        from.on('close', () => {
          this.sockets.delete(from);
          if (!this.swallowing) to.destroy();
        });
        if (this.swallowing) from.pause();
      }
    });
  }

  /** `delayMs` is how long bytes take each way. */
  static async start(targetPort: number, delayMs = 0): Promise<SwallowingProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new SwallowingProxy(server, (server.address() as AddressInfo).port, targetPort, delayMs);
  }

  /** Healing ends the connections that went through the silence, as a network that comes back late does. */
  swallow(on: boolean): void {
    this.swallowing = on;
    for (const socket of this.sockets) {
      if (on) socket.pause();
      else socket.destroy();
    }
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
