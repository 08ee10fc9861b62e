/**
 * wrk, a load generator that others wrote: a closed loop of one request at a time on each connection. It takes a third less of the cores
 * that it shares with the servers than ours does, and answers faster, so servers are woken by each of its requests, as real clients wake
 * them.
 */
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Target } from './lanes';

const SECONDS = 2;
export const WRK_KINDS = ['life', 'add', 'query'] as const;
export type WrkKind = (typeof WRK_KINDS)[number];

/** `npm run bench` runs in the project's folder. */
const SCRIPT = join(process.cwd(), 'bench', 'load', 'requests.lua');

/** Without it its rows are left out, and the run says so. */
export function hasWrk(say: (line: string) => void): boolean {
  const has = spawnSync('wrk', ['-v']).error === undefined;
  if (!has) say('there is no wrk (apt-get install wrk): its rows are left out');
  return has;
}

/**
 * One process for each target at the same time, which share the connections; a life stays at one target. `run` makes the ids unique,
 * `cpuSeconds` says what the servers have used so far; `cpuMs` is for 1,000 requests. Rejects where an answer was not 2xx.
 */
export async function runWrk(
  kind: WrkKind,
  run: string,
  targets: readonly Target[],
  connections: number,
  cpuSeconds: () => number,
): Promise<{ perSecond: number; cpuMs: number }> {
  const cpuBefore = cpuSeconds();
  const each = Math.floor(connections / targets.length);
  const results = await Promise.all(
    targets.map(async ({ host, port }, i) => {
      const options = ['-t1', `-c${each}`, `-d${SECONDS}s`, '-s', SCRIPT, `http://${host}:${port}/`];
      const { stdout } = await promisify(execFile)('wrk', [...options, '--', kind, `${run}-${i}`]);
      if (/Non-2xx/.test(stdout)) throw new Error(stdout);
      return {
        requests: Number(/(\d+) requests in/.exec(stdout)?.[1]),
        perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]),
      };
    }),
  );
  const cpu = cpuSeconds() - cpuBefore;
  const sum = (of: 'requests' | 'perSecond'): number =>
    results.reduce((total, result) => total + result[of], 0);
  return { perSecond: sum('perSecond'), cpuMs: (cpu * 1_000_000) / sum('requests') };
}
