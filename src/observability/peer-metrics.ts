/** The metrics of the other replicas: who they are, which events are missing, and what is pulled from them. */
import type { Registry } from 'prom-client';
import type { CausalContext } from '../core/causal-context';
import type { DnsDiscovery } from '../peers/dns-discovery';
import type { PeerExchange } from '../peers/peer-exchange';
import { counter, gauge, labelledGauge } from './scraped';

export function registerPeerMetrics(
  registry: Registry,
  exchange: PeerExchange,
  context: CausalContext,
  discovery: DnsDiscovery | undefined,
  domain = '',
): void {
  const { antiEntropy, joining } = exchange;
  const { counts } = antiEntropy;
  labelledGauge(
    registry,
    'dns_lookup_hosts',
    'Addresses behind the discovery name',
    ['domain', 'host'],
    (set) => {
      for (const host of discovery?.hosts ?? []) set({ domain, host }, 1);
    },
  );
  labelledGauge(registry, 'metacenter_peers', 'Other replicas by state', ['state'], (set) => {
    const states = Object.values(exchange.peerStates());
    for (const state of ['ready', 'joining', 'unreachable']) {
      set({ state }, states.filter((each) => each === state).length);
    }
  });
  gauge(registry, 'metacenter_ready', '1 once the replica has caught up or given up waiting', () =>
    joining.current.ready ? 1 : 0,
  );
  gauge(registry, 'metacenter_missing_events', 'Lost events that are being chased', () => antiEntropy.chased);
  gauge(registry, 'metacenter_origins', 'Origins in the causal context', () => context.originCount);
  counter(registry, 'metacenter_dns_lookup_failures_total', 'Failed lookups', () => discovery?.failures ?? 0);
  counter(registry, 'metacenter_comparisons_total', 'Comparisons with peers', () => counts.compares);
  counter(registry, 'metacenter_snapshot_pulls_total', 'Snapshots pulled from peers', () => counts.pulls);
  counter(
    registry,
    'metacenter_snapshot_full_pulls_total',
    'Those of them that were of everything',
    () => counts.fullPulls,
  );
  counter(
    registry,
    'metacenter_snapshot_failures_total',
    'Comparisons and pulls that failed',
    () => counts.failures,
  );
  counter(
    registry,
    'metacenter_snapshot_records_total',
    'Records merged from snapshots',
    () => counts.recordsMerged,
  );
  counter(
    registry,
    'metacenter_events_given_up_total',
    'Lost events that no live peer had',
    () => counts.eventsGivenUp,
  );
  counter(
    registry,
    'metacenter_divergence_total',
    'Lasting differences after equal events',
    () => counts.divergences,
  );
}
