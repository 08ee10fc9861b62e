/**
 * Builds the room of repair: who the other replicas are (discovery), how they are asked (client), what is asked of whom
 * (repair), and what they are shown (answering).
 */
import type { Logger } from 'pino';
import type { Bus } from '../bus/bus';
import type { Config } from '../config/config';
import type { CausalContext } from '../core/causal-context';
import type { LoadStats } from '../core/load-stats';
import { SnapshotMerge } from '../core/snapshot-merge';
import type { History } from '../history/history';
import type { SparseLines } from '../observability/sparse-lines';
import type { DnsDiscovery } from '../peers/dns-discovery';
import { repairOptions } from '../repair/repair-options';
import { PeerClient } from '../repair/peer-client';
import type { PeerTransport } from '../repair/peer-transport';
import type { Identity } from '../repair/protocol';
import { Repair } from '../repair/repair';
import { RepairRunner } from '../repair/runner';
import { contextOptions } from '../replication/limits';
import type { AccessTokens } from '../security/access-tokens';
import { createDiscovery } from './discovery';

/** However seldom the name is looked up: with the bus down, what peers have seen is known by their health alone. */
const MAX_HEALTH_INTERVAL_MS = 5_000;

export interface RepairRoom {
  /** Undefined where no name is configured. */
  readonly discovery: DnsDiscovery | undefined;
  readonly repair: Repair;
  readonly runner: RepairRunner;
  readonly client: PeerClient;
}

export interface RepairSurroundings {
  readonly self: Identity;
  readonly stats: LoadStats;
  readonly context: CausalContext;
  readonly bus: Bus;
  readonly history: History | undefined;
  readonly transport: PeerTransport;
  readonly accessTokens: AccessTokens;
  readonly onReady: () => void;
  readonly onTooLarge: () => void;
  readonly nowUs: () => number;
  readonly logger: Logger;
  readonly lines: SparseLines;
}

export function createRepair({ peers, readyTimeoutMs }: Config, around: RepairSurroundings): RepairRoom {
  const { self, stats, context, bus, history, transport, accessTokens, nowUs, logger } = around;
  const ofPeers = contextOptions(stats.options);
  const client = new PeerClient(
    { self, port: peers.port, timeoutMs: peers.requestTimeoutMs, context: ofPeers },
    transport,
    () => accessTokens.forPeers,
    () => performance.now(),
  );
  const repair = new Repair(self, stats, context, Math.random, {
    ...repairOptions(stats.options),
    healthEveryUs: 1000 * Math.min(peers.dnsLookupIntervalMs, MAX_HEALTH_INTERVAL_MS),
    readyTimeoutUs: 1000 * readyTimeoutMs,
  });
  const runner = new RepairRunner({
    repair,
    stats,
    bus,
    client,
    surroundings: () => ({
      busConnected: bus.connected,
      peersKnown: discovery?.answered ?? true,
      history: history?.state ?? 'none',
      historyMissing: history?.missing,
    }),
    onReady: around.onReady,
    onTooLarge: around.onTooLarge,
    replayHistory: (sinceUs) => history?.replay(sinceUs) ?? false,
    nowUs,
    monotonicUs: () => performance.now() * 1000,
    logger,
    lines: around.lines,
    newMerge: () => new SnapshotMerge(stats, ofPeers, self),
  });
  const discovery = createDiscovery(peers, (addresses) => runner.setPeers(addresses), logger);
  return { discovery, repair, runner, client };
}
