/**
 * One replica alone against bare `node:http` that parses the same bodies and sends answers of the same size. Both run all
 * the time; rounds alternate.
 */
import { cpuSeconds } from '../processes/process-stats';
import { startAlone } from '../processes/replicas';
import { startBareServer } from '../processes/bare-process';
import { closedLoop, type Script } from '../load/closed-loop';
import { Lanes, type Target } from '../load/lanes';
import { Lives } from '../load/lives';
import { addRequest, deleteRequest, engineOf, queryPath, queryRequest, requestId } from '../load/requests';
import { hasWrk, runWrk, WRK_KINDS, type WrkKind } from '../load/wrk';
import { Collected, type Part, type Row, ratios } from '../report/rows';

const LANES = 32;
const WRK_CONNECTIONS = 64;
const ROUND_MS = 1_000;
const ENGINE_COUNTS = [1, 16, 128];
/** Numbers of the requests that stay in flight, so that every row has something in it. */
const RESIDENT = 0x700000000000;

const TARGETS: Readonly<Record<string, number>> = {
  add: 0.7,
  delete: 0.7,
  'query of 1 engine': 0.7,
  'query of 16 engines': 0.7,
  'query of 128 engines': 0.6,
};

export const httpPart: Part = {
  name: 'http',
  async run({ rounds, say }) {
    const replica = await startAlone();
    await fill(replica);
    const answers: Record<string, string> = { '': await deleteAnswer(replica) };
    for (const engines of ENGINE_COUNTS) {
      const path = queryPath(`engines-${engines}`);
      answers[path] = await (await fetch(`${replica.url}${path}`)).text();
    }
    const bare = await startBareServer(answers);
    const byWrk = hasWrk(say);
    const results = new Collected();
    const sides = [new Side('bare', bare), new Side('ours', replica)];
    try {
      for (let round = -1; round < rounds; round++) {
        say(round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`);
        for (const workload of WORKLOADS) {
          for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
            const result = await side.run(workload);
            if (round < 0) continue;
            for (const [measure, value] of Object.entries(result)) {
              results.add(`${workload.name} ${side.name} ${measure}`, value as number);
            }
          }
        }
        for (const kind of byWrk ? WRK_KINDS : []) {
          for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
            const result = await side.runWrk(kind, `${kind}-${round + 1}`);
            if (round < 0) continue;
            for (const [measure, value] of Object.entries(result)) {
              results.add(`${wrkNameOf(kind)} ${side.name} ${measure}`, value);
            }
          }
        }
      }
    } finally {
      await Promise.all([replica.kill(), bare.stop()]);
    }
    return [
      ...WORKLOADS.flatMap(({ name }) => rowsOf(name, results)),
      ...(byWrk ? WRK_KINDS.flatMap((kind) => wrkRowsOf(wrkNameOf(kind), results)) : []),
    ];
  },
};

function rowsOf(name: string, results: Collected): Row[] {
  const of = (side: string, measure: keyof Measured): readonly number[] =>
    results.of(`${name} ${side} ${measure}`);
  const row = (what: string, unit: string, values: readonly number[]): Row => ({
    part: 'http',
    name: `${name}${what}`,
    unit,
    values,
  });
  const target = TARGETS[name];
  return [
    row('', 'requests/s', of('ours', 'perSecond')),
    row(', bare node:http', 'requests/s', of('bare', 'perSecond')),
    {
      ...row(', ratio', 'of bare', ratios(of('ours', 'perSecond'), of('bare', 'perSecond'))),
      ...(target !== undefined && { target: { atLeast: target } }),
    },
    row(', CPU', 'ms per 1,000', of('ours', 'cpuMs')),
    // On a busy machine the one to trust: others take the CPU from a process, but their work is not counted as its own.
    row(', ratio by CPU', 'of bare', ratios(of('bare', 'cpuMs'), of('ours', 'cpuMs'))),
    row(', p99', 'ms', of('ours', 'p99Ms')),
  ];
}

const wrkNameOf = (kind: WrkKind): string => `by wrk: ${kind}`;

function wrkRowsOf(name: string, results: Collected): Row[] {
  const of = (side: string, measure: string): readonly number[] => results.of(`${name} ${side} ${measure}`);
  const row = (what: string, unit: string, values: readonly number[], target?: Row['target']): Row => ({
    part: 'http',
    name: `${name}${what}`,
    unit,
    values,
    ...(target && { target }),
  });
  return [
    row('', 'requests/s', of('ours', 'perSecond')),
    row(', bare node:http', 'requests/s', of('bare', 'perSecond')),
    row(', ratio', 'of bare', ratios(of('ours', 'perSecond'), of('bare', 'perSecond')), { atLeast: 0.85 }),
    row(', CPU', 'ms per 1,000', of('ours', 'cpuMs')),
    row(', CPU ratio', 'times bare', ratios(of('ours', 'cpuMs'), of('bare', 'cpuMs')), { atMost: 1.4 }),
  ];
}

interface Measured {
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly p99Ms: number;
}

interface Workload {
  readonly name: string;
  readonly script: (side: Side) => () => Script;
}

const always = (request: string): Script => {
  return (stopping) => (stopping ? undefined : request);
};

/** A round's deletes finish what the adds of the same round began: in as many requests, in whatever time that takes. */
const WORKLOADS: readonly Workload[] = [
  {
    name: 'add',
    script: (side) => () => (stopping) => (stopping ? undefined : addRequest(side.added++)),
  },
  {
    name: 'delete',
    script: (side) => () => () => (side.deleted < side.added ? deleteRequest(side.deleted++) : undefined),
  },
  ...ENGINE_COUNTS.map((engines) => ({
    name: `query of ${engines} engine${engines > 1 ? 's' : ''}`,
    script: () => () => always(queryRequest(`engines-${engines}`)),
  })),
  { name: 'lifecycle mix', script: (side) => side.lives.handedOn() },
];

/** One of the two servers and how far it has come. */
class Side {
  added = 0;
  deleted = 0;
  readonly lives = new Lives(0x600000000000);

  constructor(
    readonly name: string,
    private readonly server: Target & { readonly pid: number },
  ) {}

  runWrk(kind: WrkKind, run: string): ReturnType<typeof runWrk> {
    const { server } = this;
    return runWrk(kind, `${this.name}-${run}`, [server], WRK_CONNECTIONS, () => cpuSeconds(server.pid));
  }

  async run({ name, script }: Workload): Promise<Measured> {
    const lanes = await Lanes.open([this.server], LANES);
    const cpuBefore = cpuSeconds(this.server.pid);
    try {
      const durationMs = name === 'delete' ? Infinity : ROUND_MS;
      const { perSecond, tally } = await closedLoop(lanes, script(this), durationMs);
      const cpuMs = ((cpuSeconds(this.server.pid) - cpuBefore) * 1_000_000) / tally.sent;
      return { perSecond, cpuMs, p99Ms: tally.percentileMs(0.99) };
    } finally {
      lanes.close();
    }
  }
}

async function fill({ url }: { readonly url: string }): Promise<void> {
  for (const engines of ENGINE_COUNTS) {
    for (let engine = 0; engine < engines; engine++) {
      await report(url, 'POST', {
        cluster: `engines-${engines}`,
        request_id: requestId(RESIDENT + engines * 1000 + engine),
        prompt_length: 700,
        ip: engineOf(engine),
      });
    }
  }
}

async function deleteAnswer({ url }: { readonly url: string }): Promise<string> {
  return report(url, 'DELETE', { request_id: requestId(RESIDENT) });
}

async function report(url: string, method: string, body: object): Promise<string> {
  const response = await fetch(`${url}/v1/load/stats`, { method, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} was answered ${response.status}`);
  return response.text();
}
