/** The table that people read, and the JSON that programs do. */
import { cpus, totalmem } from 'node:os';
import { meets, median, type Row } from './rows';

export function tableOf(rows: readonly Row[]): string {
  const cells = [
    ['part', 'what', 'median', 'min – max', 'unit', 'target', ''],
    ...rows.map((row) => [
      row.part,
      row.name,
      shown(median(row.values)),
      row.values.length > 1 ? `${shown(Math.min(...row.values))} – ${shown(Math.max(...row.values))}` : '',
      row.unit,
      targetOf(row),
      row.target === undefined ? '' : meets(row) ? 'met' : 'MISSED',
    ]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  const lines = cells.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`);
  lines.splice(1, 0, `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`);
  return lines.join('\n');
}

export function jsonOf(rows: readonly Row[], startedAt: Date, tookSeconds: number): string {
  const [cpu] = cpus();
  return JSON.stringify(
    {
      started_at: startedAt.toISOString(),
      took_seconds: Math.round(tookSeconds),
      machine: { cpu: cpu?.model, cores: cpus().length, memory_bytes: totalmem(), node: process.version },
      rows: rows.map((row) => ({ ...row, median: median(row.values), met: row.target && meets(row) })),
    },
    undefined,
    2,
  );
}

function targetOf({ target }: Row): string {
  if (target?.atLeast !== undefined) return `≥ ${shown(target.atLeast)}`;
  return target?.atMost === undefined ? '' : `≤ ${shown(target.atMost)}`;
}

function shown(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
}
