/**
 * Builds what reaches the other replicas: who they are (discovery), how they are asked (client, transport), and what is
 * asked of whom (exchange).
 */
import type { Logger } from 'pino';
import type { Bus } from '../bus/bus';
import type { Config } from '../config/config';
import type { CausalContext } from '../core/causal-context';
import type { LoadStats } from '../core/load-stats';
import type { History } from '../history/history';
import type { DnsDiscovery } from '../peers/dns-discovery';
import { PeerClient } from '../peers/peer-client';
import { PeerExchange } from '../peers/peer-exchange';
import type { PeerTransport } from '../peers/peer-transport';
import { antiEntropyOptions, contextOptions } from '../replication/limits';
import type { AccessTokens } from '../security/access-tokens';
import { createDiscovery } from './discovery';

/** However seldom the name is looked up: with the bus down, what peers have seen is known by their health alone. */
const MAX_HEALTH_INTERVAL_MS = 5_000;

export interface Peers {
  /** Undefined where no name is configured. */
  readonly discovery: DnsDiscovery | undefined;
  readonly exchange: PeerExchange;
}

export interface PeersSurroundings {
  readonly origin: string;
  readonly stats: LoadStats;
  readonly context: CausalContext;
  readonly bus: Bus;
  readonly history: History | undefined;
  readonly transport: PeerTransport;
  readonly accessTokens: AccessTokens;
  readonly nowUs: () => number;
  readonly logger: Logger;
}

export function createPeers({ peers, readyTimeoutMs }: Config, surroundings: PeersSurroundings): Peers {
  const { origin, stats, context, bus, history, transport, accessTokens, nowUs, logger } = surroundings;
  const ofPeers = contextOptions(stats.options);
  const client = new PeerClient(
    { port: peers.port, timeoutMs: peers.requestTimeoutMs, context: ofPeers },
    transport,
    () => accessTokens.forPeers,
    () => performance.now(),
  );
  const exchange = new PeerExchange({
    stats,
    context,
    client,
    surroundings: () => ({
      busConnected: bus.connected,
      peersKnown: discovery?.answered ?? true,
      history: history?.state ?? 'none',
      historyMissing: history?.missing,
    }),
    replayHistory: (sinceUs) => history?.replay(sinceUs) ?? false,
    nowUs,
    random: Math.random,
    logger,
    antiEntropy: antiEntropyOptions(origin, stats.options),
    contextOptions: ofPeers,
    healthIntervalMs: Math.min(peers.dnsLookupIntervalMs, MAX_HEALTH_INTERVAL_MS),
    readyTimeoutMs,
  });
  const discovery = createDiscovery(peers, (addresses) => exchange.setPeers(addresses), logger);
  return { discovery, exchange };
}
