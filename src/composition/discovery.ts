/**
 * Builds the discovery of peers, where a name is configured.
 */
import { networkInterfaces } from 'node:os';
import type { Logger } from 'pino';
import type { PeersConfig } from '../config/config';
import { ipv4Only, SystemLookup } from '../dns/system-lookup';
import { DnsDiscovery } from '../peers/dns-discovery';

export const PEER_LOOKUPS = { withinMs: 5_000, most: 1 } as const;

export function createDiscovery(
  { dnsName, dnsLookupIntervalMs, ownAddress }: PeersConfig,
  onPeers: (addresses: readonly string[]) => void,
  logger: Logger,
): DnsDiscovery | undefined {
  if (dnsName === undefined) return undefined;
  const own = ownAddress === undefined ? hostAddresses() : [ownAddress];
  const names = new SystemLookup(PEER_LOOKUPS, ipv4Only);
  return new DnsDiscovery(
    { host: dnsName, intervalMs: dnsLookupIntervalMs, own },
    {
      onPeers: (addresses) => {
        logger.info({ peers: addresses }, 'peers changed');
        onPeers(addresses);
      },
      onFailing: (reason) => {
        if (reason === undefined) logger.info({ host: dnsName }, 'peer lookups work again');
        else logger.warn({ host: dnsName, reason }, 'peer lookups fail');
      },
    },
    (host) => names.addresses(host),
    () => performance.now(),
  );
}

function hostAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).map(({ address }) => address),
  );
}
