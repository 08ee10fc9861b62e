/** Killing and starting all replicas of a fleet, and looking at each in the moment that it says it is ready. */
import { request } from 'node:http';
import type { Fleet } from '../convergence/fleet';
import type { Workload } from '../convergence/workload';
import { until } from '../support/until';

export interface Readyz {
  readonly ready: boolean;
  readonly degraded: boolean;
  readonly reason: string;
  readonly peers: object;
  readonly history: Readonly<Record<string, unknown>>;
}

export async function readyz(url: string): Promise<Readyz> {
  const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
  return ((await response.json()) as { data: Readyz }).data;
}

export async function killAll(fleet: Fleet): Promise<void> {
  await Promise.all(fleet.members.map(({ replica }) => replica.kill()));
}

/** Starts every member and compares each with the recount as soon as it is ready; answers after how many ms that was. */
export async function startAllAndCompare(fleet: Fleet, load: Workload): Promise<number[]> {
  const started = Date.now();
  await Promise.all(fleet.members.map((member) => fleet.launch(member)));
  return Promise.all(
    fleet.urls.map(async (url) => {
      let last: Readyz | undefined;
      await until(async () => (last = await readyz(url)).ready, {
        timeoutMs: 15_000,
        describe: () => `${url} is ready: ${JSON.stringify(last)}`,
      });
      const ms = Date.now() - started;
      const difference = await load.differenceAt(url);
      expect([difference, last!.degraded]).toEqual(['', false]);
      // The first one has nobody to ask; another one may find it ready.
      expect(last!.reason).toMatch(/history replayed|caught up with its peers/);
      return ms;
    }),
  );
}

/** The codes with which further deletes of finished requests are answered, each code once. */
export async function deleteAgain(url: string, ids: readonly string[]): Promise<string[]> {
  const codes = new Set<string>();
  for (const id of ids.slice(-50)) codes.add(await codeOfDelete(url, id));
  return [...codes];
}

function codeOfDelete(url: string, id: string): Promise<string> {
  const body = JSON.stringify({ request_id: id });
  const headers = { 'Content-Length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}/v1/load/stats`, { method: 'DELETE', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () =>
        resolve(String((JSON.parse(text) as { error: { code: number } | null }).error?.code)),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
