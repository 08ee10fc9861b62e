/** What the HTTP server is built with, each chosen on purpose. Names are those of `http.Server` where it has one. */

export interface HttpServerOptions {
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  readonly connectionsCheckingInterval: number;
  readonly handshakeTimeout: number;
  readonly answerTimeoutMs: number;
  readonly keepAliveTimeout: number;
  readonly maxHeaderSize: number;
  readonly maxHeadersCount: number;
  readonly maxRequestsPerSocket: number;
  readonly maxConnections: number;
  readonly keepAlive: boolean;
  readonly keepAliveInitialDelay: number;
  readonly backlog: number;
}

export const httpServerOptions: HttpServerOptions = {
  /** A gateway's headers come in one packet; who dribbles them for longer is cut off. Also for connections that send nothing. */
  headersTimeout: 10_000,
  /** Headers and a body of at most 64 KiB, over the slowest link that still makes sense. */
  requestTimeout: 20_000,
  /** How late the two time-outs above may be noticed. */
  connectionsCheckingInterval: 1_000,
  /** Of TLS. */
  handshakeTimeout: 10_000,
  /** A reader that takes nothing of its answer for this long is cut off: its answer is held in memory. */
  answerTimeoutMs: 60_000,
  /**
   * Where nothing else is configured. Longer than Envoy keeps an idle connection by default (1 h): whoever sends requests must
   * be the one that closes.
   */
  keepAliveTimeout: 65 * 60_000,
  /** Of all headers together, in bytes. Gateways send a few hundred. */
  maxHeaderSize: 16_384,
  /** Further ones are dropped. */
  maxHeadersCount: 100,
  /** Unlimited: gateways keep their connections for as long as they live. */
  maxRequestsPerSocket: 0,
  /** Further ones are closed at once. Each costs a few KiB, and a body of at most 64 KiB. */
  maxConnections: 10_000,
  /** Probes on the TCP level find peers that vanished without a close. */
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  /** Connections that wait to be accepted; the kernel may allow fewer. */
  backlog: 1_024,
};
