/**
 * Builds the room of repair: who the other replicas are (discovery), how they are asked (client), and what is asked of whom
 * (repair, and the runner that carries it out).
 */
import { networkInterfaces } from 'node:os';
import type { Config } from '../config/config';
import type { CausalContext } from '../core/causal-context';
import type { LoadStats } from '../core/load-stats';
import { SnapshotMerge } from '../core/snapshot-merge';
import type { History } from '../history/history';
import { DnsDiscovery } from '../peers/dns-discovery';
import { repairOptions } from '../repair/repair-options';
import { PeerClient, type PeerTls } from '../repair/peer-client';
import type { Identity } from '../repair/protocol';
import { Repair } from '../repair/repair';
import { RepairRunner, type RunnerParts } from '../repair/runner';
import { contextOptions } from '../replication/limits';

/** However seldom the name is looked up: with the bus down, what peers have seen is known by their health alone. */
const MAX_HEALTH_INTERVAL_MS = 5_000;

export type RepairRoom = ReturnType<typeof createRepair>;

export interface RepairSurroundings extends Pick<
  RunnerParts,
  'bus' | 'onReady' | 'onTooLarge' | 'nowUs' | 'logger' | 'lines'
> {
  readonly self: Identity;
  readonly stats: LoadStats;
  readonly context: CausalContext;
  readonly history: History | undefined;
  readonly tls: PeerTls | undefined;
  readonly tokens: () => readonly string[];
}

export function createRepair({ peers, readyTimeoutMs }: Config, around: RepairSurroundings) {
  const { self, stats, bus, history, tls, tokens, logger } = around;
  const context = contextOptions(stats.options);
  const client = new PeerClient({ ...peers, self, context, tls, tokens });
  const repair = new Repair(self, stats, around.context, Math.random, {
    ...repairOptions(stats.options),
    healthEveryUs: 1000 * Math.min(peers.dnsLookupIntervalMs, MAX_HEALTH_INTERVAL_MS),
    readyTimeoutUs: 1000 * readyTimeoutMs,
  });
  const runner = new RepairRunner({
    ...around,
    repair,
    client,
    surroundings: () => ({
      busConnected: bus.connected,
      peersKnown: !discovery || discovery.hosts !== undefined,
      history: history?.state ?? 'none',
      historyMissing: history?.missing,
    }),
    replayHistory: (sinceUs) => history?.replay(sinceUs) ?? false,
    monotonicUs: () => performance.now() * 1000,
    newMerge: () => new SnapshotMerge(stats, context, self),
  });
  const { dnsName: host, dnsLookupIntervalMs: intervalMs, ownAddress } = peers;
  const ofHost = Object.values(networkInterfaces()).flatMap((of = []) => of.map(({ address }) => address));
  const own = ownAddress === undefined ? ofHost : [ownAddress];
  const onPeers = (addresses: readonly string[]): void => runner.setPeers(addresses);
  // Undefined where no name is configured.
  const discovery: DnsDiscovery | undefined =
    host === undefined ? undefined : new DnsDiscovery({ host, intervalMs, own }, onPeers, logger);
  return { discovery, repair, runner, client };
}
