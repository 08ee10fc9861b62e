/**
 * The same two servers under wrk, a load generator that others wrote: a closed loop of one request at a time on each
 * connection. It answers faster than ours, so servers are woken by each of its requests, as real clients wake them.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cpuSeconds } from '../processes/process-stats';

const CONNECTIONS = 64;
const SECONDS = 2;
export const WRK_KINDS = ['life', 'add', 'query'] as const;
export type WrkKind = (typeof WRK_KINDS)[number];

/** `npm run bench` runs in the project's folder. */
const SCRIPT = join(process.cwd(), 'bench', 'http', 'requests.lua');

/** Without it its rows are left out, and the run says so. */
export const hasWrk = (): boolean => spawnSync('wrk', ['-v']).error === undefined;

/** Throws where an answer was not 2xx. */
export function runWrk(
  kind: WrkKind,
  run: string,
  { host, port, pid }: { readonly host: string; readonly port: number; readonly pid: number },
): { perSecond: number; cpuMs: number } {
  const cpuBefore = cpuSeconds(pid);
  const output = execFileSync(
    'wrk',
    ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, '-s', SCRIPT, `http://${host}:${port}/`, '--', kind, run],
    { encoding: 'utf8' },
  );
  const cpu = cpuSeconds(pid) - cpuBefore;
  if (/Non-2xx/.test(output)) throw new Error(output);
  const requests = Number(/(\d+) requests in/.exec(output)?.[1]);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  return { perSecond, cpuMs: (cpu * 1_000_000) / requests };
}
