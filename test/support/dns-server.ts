/** A DNS server that answers one set of addresses to whatever is asked, so that a test says who is there. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const HEADER = 12;
const ANSWERED = 0x8180;
const TYPE_A = 1;

export class DnsServer {
  addresses: readonly string[] = [];
  private readonly socket = createSocket('udp4');

  private constructor() {
    this.socket.on('message', (query, { port, address }) =>
      this.socket.send(this.answer(query), port, address),
    );
  }

  static async start(): Promise<DnsServer> {
    const server = new DnsServer();
    server.socket.bind(0, '127.0.0.1');
    await once(server.socket, 'listening');
    return server;
  }

  get port(): number {
    return this.socket.address().port;
  }

  stop(): void {
    this.socket.close();
  }

  private answer(query: Buffer): Buffer {
    const endOfName = query.indexOf(0, HEADER) + 1;
    const question = query.subarray(HEADER, endOfName + 4);
    const addresses = query.readUInt16BE(endOfName) === TYPE_A ? this.addresses : [];
    const header = Buffer.alloc(HEADER);
    [query.readUInt16BE(0), ANSWERED, 1, addresses.length].forEach((word, i) =>
      header.writeUInt16BE(word, 2 * i),
    );
    // The name of the question, class IN, no time to live.
    const records = addresses.map((address) =>
      Buffer.from([0xc0, HEADER, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]),
    );
    return Buffer.concat([header, question, ...records]);
  }
}
