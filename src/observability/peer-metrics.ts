/** The metrics of the other replicas: who they are, which events are missing, and what is pulled from them. */
import type { Registry } from 'prom-client';
import type { CausalContext } from '../core/causal-context';
import type { DnsDiscovery } from '../peers/dns-discovery';
import type { Repair } from '../repair/repair';
import { PEER_STATES } from '../repair/peer';
import { counter, gauge, labelledGauge } from './scraped';

export function registerPeerMetrics(
  registry: Registry,
  repair: Repair,
  context: CausalContext,
  discovery: DnsDiscovery | undefined,
  domain = '',
): void {
  const { counts } = repair;
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
    const peers = Object.values(repair.peers);
    for (const state of PEER_STATES) {
      set({ state }, peers.filter((peer) => peer.state === state).length);
    }
  });
  gauge(registry, 'metacenter_ready', '1 once the replica has caught up or given up waiting', () =>
    repair.joining.ready ? 1 : 0,
  );
  gauge(registry, 'metacenter_missing_events', 'Lost events that are being chased', () => repair.missing);
  gauge(
    registry,
    'metacenter_fleet_speaks',
    'The level of events and records that every replica understands',
    () => repair.fleetSpeaks,
  );
  gauge(
    registry,
    'metacenter_clock_ahead_ms',
    'How far the clock is ahead of those of the other replicas, behind where negative',
    () => (repair.clock.aheadUs ?? 0) / 1000,
  );
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
    'metacenter_snapshot_records_skipped_total',
    'Records of kinds that this version does not know',
    () => counts.recordsSkipped,
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
