/** Connections to other replicas: plain, or TLS with the one name that their certificates must be for. */
import { X509Certificate } from 'node:crypto';
import { Agent, request, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';

/** Throws, in words for the operator, when the file cannot be used. */
export function checkedAuthorities(pem: Buffer): Buffer {
  try {
    new X509Certificate(pem);
    return pem;
  } catch {
    throw new Error('holds no PEM certificate');
  }
}

const AGENT_OPTIONS = { keepAlive: true, maxSockets: 4 } as const;

export interface PeerTls {
  readonly serverName: string;
  /** PEM; undefined: the authorities that Node.js trusts. */
  readonly ca: () => Buffer | undefined;
}

export class PeerTransport {
  private readonly agent: Agent;

  constructor(private readonly tls: PeerTls | undefined) {
    this.agent = tls ? new TlsAgent({ ...AGENT_OPTIONS, minVersion: 'TLSv1.2' }) : new Agent(AGENT_OPTIONS);
  }

  request(options: RequestOptions, onResponse: (response: IncomingMessage) => void): ClientRequest {
    const { agent, tls } = this;
    if (!tls) return request({ ...options, agent }, onResponse);
    // Dialled by address, so that without a name Node.js would expect a certificate for the address.
    const ca = tls.ca();
    return tlsRequest({ ...options, agent, servername: tls.serverName, ...(ca && { ca }) }, onResponse);
  }

  close(): void {
    this.agent.destroy();
  }
}
