/** What the demo prints: a line while it runs, and the table at its end. */
import type { DemoResult } from './demo';
import type { Fleet } from './fleet';
import type { ReplicaSet } from './replica-set';

/** Times to first token that the line of progress looks back on. */
const RECENT = 200;

export function progressLine(replicas: ReplicaSet, fleets: readonly Fleet[], leftSeconds: number): string {
  const up = replicas.members.map((member) => (member ? '●' : '○')).join('');
  const times = fleets.map(({ policy, timesToFirstToken }) => {
    return `${policy} ${milliseconds(percentile(timesToFirstToken.slice(-RECENT), 0.99))}`;
  });
  const finished = fleets.reduce((sum, fleet) => sum + fleet.finished, 0);
  const inFlight = fleets.reduce((sum, fleet) => sum + fleet.inFlight, 0);
  const left = `${Math.floor(leftSeconds / 60)}:${String(Math.floor(leftSeconds % 60)).padStart(2, '0')}`;
  return `${left} left  replicas ${up}  ${inFlight} in flight, ${finished} finished  recent p99: ${times.join(', ')}`;
}

export function resultTable(
  { fleets, drifts, kills, failovers }: DemoResult,
  urls: readonly string[],
): string {
  const routing = fleets.map(({ policy, started, timesToFirstToken }) => [
    policy,
    started.toLocaleString('en'),
    milliseconds(mean(timesToFirstToken)),
    milliseconds(percentile(timesToFirstToken, 0.99)),
  ]);
  const replicas = drifts.map(({ requests, promptTokens }, i) => [
    urls[i]!,
    `${requests}`,
    `${promptTokens}`,
  ]);
  return [
    table(['routing', 'requests', 'first token: mean', 'p99'], routing),
    table(['replica', 'drift in requests', 'in prompt tokens'], replicas),
    `${fleets.reduce((sum, fleet) => sum + fleet.inFlight, 0)} requests were in flight when the replicas were asked; ` +
      `${kills} replicas had been killed and started again; ${failovers} calls went to another replica.`,
  ].join('\n\n');
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

function milliseconds(ms: number): string {
  return Number.isNaN(ms) ? '–' : `${Math.round(ms).toLocaleString('en')} ms`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
